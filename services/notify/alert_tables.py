"""Tables about the life of alerts: who is told when, who stands in for whom, who is next."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Instant
from services.notify.base import Base


class Calendar(Base):
    """When a school is open in an academic year."""

    __tablename__ = "calendar"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    academic_year: Mapped[int] = mapped_column(primary_key=True)
    terms: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    closed: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class Escalation(Base):
    """That a bell was passed on to the next role, since nobody had answered."""

    __tablename__ = "escalation"

    bell: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(30), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


class Silence(Base):
    """That a practitioner does not want messages of a kind about a child until a date."""

    __tablename__ = "silence"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    practitioner: Mapped[str] = mapped_column(String(64), index=True)
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    named: Mapped[bool]
    """Whether the practitioner named the child by its UPN, which an alert may not have told."""
    until: Mapped[date]
    """The last day."""
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class Handover(Base):
    """That a practitioner asks a colleague of their agency to take an alert over."""

    __tablename__ = "handover"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    alert: Mapped[UUID] = mapped_column(index=True)
    bell: Mapped[UUID] = mapped_column(index=True)
    giver: Mapped[str] = mapped_column(String(64))
    taker: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(10))
    """offered, accepted or declined."""
    offered_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)


class Cover(Base):
    """Who stands in for an absent practitioner, from which day to which, both included."""

    __tablename__ = "cover"

    practitioner: Mapped[str] = mapped_column(String(64), primary_key=True)
    by: Mapped[str] = mapped_column(String(64))
    starts_on: Mapped[date]
    ends_on: Mapped[date]


class Preferences(Base):
    """How a practitioner wants to hear of what is not urgent."""

    __tablename__ = "preferences"

    practitioner: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(10))
    """none, daily or weekly."""
    hour: Mapped[int]
    """Of the day in England."""
    weekday: Mapped[int]
    """Of a weekly digest; Monday is 0."""
    most_a_day: Mapped[int | None]
    """Beyond so many messages in a day, what is not urgent waits for the next digest."""
    together: Mapped[str] = mapped_column(String(10))
    """none, family or group: whose alerts of the same ten minutes are one message."""


class MessagesOfDay(Base):
    """How many messages went on a day to a practitioner who has preferences."""

    __tablename__ = "messages_of_day"

    practitioner: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int]
    told: Mapped[bool]
    """Whether the operator was told that it is the limit."""


class Held(Base):
    """An alert of which its recipient has not been told by any message yet, and why."""

    __tablename__ = "held"

    alert: Mapped[UUID] = mapped_column(primary_key=True)
    bell: Mapped[UUID] = mapped_column(index=True)
    recipient: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(20))
    """silenced, inhibited, digest, limit, morning or together."""
    by: Mapped[UUID | None] = mapped_column(index=True)
    """The silence, or the bell, that holds it back."""
    due_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """When it is looked at again; None: when what holds it back ends."""
    bundle: Mapped[str | None] = mapped_column(String(200))
    """All of a recipient's that have the same become one message."""
    since: Mapped[datetime] = mapped_column(Instant)


class FollowUp(Base):
    """How a pupil's attendance went on after a bell, in sessions; see `BellFollowed`."""

    __tablename__ = "follow_up"

    bell: Mapped[UUID] = mapped_column(primary_key=True)
    upn: Mapped[str] = mapped_column(String(13), index=True)
    pupil: Mapped[dict[str, int]] = mapped_column(JSON)
    alike: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    told_at: Mapped[datetime] = mapped_column(Instant)
