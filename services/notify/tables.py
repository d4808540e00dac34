"""Notify's tables: directory, children, bells, alerts, ledger; and all the others by name."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Instant
from services.notify.alert_tables import Calendar as Calendar
from services.notify.alert_tables import Cover as Cover
from services.notify.alert_tables import Escalation as Escalation
from services.notify.alert_tables import FollowUp as FollowUp
from services.notify.alert_tables import Handover as Handover
from services.notify.alert_tables import Held as Held
from services.notify.alert_tables import MessagesOfDay as MessagesOfDay
from services.notify.alert_tables import Preferences as Preferences
from services.notify.alert_tables import Silence as Silence
from services.notify.base import Base as Base
from services.notify.base import Serial
from services.notify.delivery_tables import Delivery as Delivery
from services.notify.delivery_tables import Endpoint as Endpoint


class Agency(Base):
    """A school, an authority, the police … that practitioners belong to."""

    __tablename__ = "agency"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(20))
    urns: Mapped[list[str]] = mapped_column(JSON)
    """As they were set; `AgencySchool` has them to be found by."""
    la: Mapped[str | None] = mapped_column(String(3), index=True)


class AgencySchool(Base):
    """That an agency is a school, or looks after it."""

    __tablename__ = "agency_school"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    agency: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class Practitioner(Base):
    """A person who may receive alerts."""

    __tablename__ = "practitioner"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    agency: Mapped[str] = mapped_column(String(64), index=True)
    roles: Mapped[list[str]] = mapped_column(JSON)
    email: Mapped[str | None]


class Involvements(Base):
    """Who works with a child, as they were last set."""

    __tablename__ = "involvements"

    upn: Mapped[str] = mapped_column(String(13), primary_key=True)
    revision: Mapped[int]
    involvements: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class Restrictions(Base):
    """What keeps parts of a child's record from somebody, as it was last set."""

    __tablename__ = "restrictions"

    upn: Mapped[str] = mapped_column(String(13), primary_key=True)
    restrictions: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class Child(Base):
    """What a school's roll says of a pupil."""

    __tablename__ = "child"

    upn: Mapped[str] = mapped_column(String(13), primary_key=True)
    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    pupil: Mapped[dict[str, Any]] = mapped_column(JSON)


class StoredBell(Base):
    """A bell as risk last told it."""

    __tablename__ = "bell"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    urn: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(10))
    bell: Mapped[dict[str, Any]] = mapped_column(JSON)


class Alert(Base):
    """A bell as one practitioner may see it."""

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "ix_alert_unanswered",
            "kind",
            "raised_at",
            "answer_by",
            sqlite_where=text("status = 'raised'"),
            postgresql_where=text("status = 'raised'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    bell: Mapped[UUID] = mapped_column(index=True)
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    recipient: Mapped[str] = mapped_column(String(64), index=True)
    agency: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))
    raised_at: Mapped[datetime] = mapped_column(Instant)
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The permitted fields, as they were decided last: the body's `data`."""
    history: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    route: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The route that led here: its name, how soon, by which means, and who is next."""
    thread: Mapped[UUID | None] = mapped_column(index=True)
    """The same for all of a recipient's alerts about one child."""
    answer_by: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """Unanswered by then, it goes on to the route's next role."""
    told_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """When a message last went out about it."""


class AlertRead(Base):
    """That somebody saw an alert as it stood, on a day: told to the ledger once."""

    __tablename__ = "alert_read"

    alert: Mapped[UUID] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(String(200), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    seen: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256, in hex, of what was seen."""


class Approval(Base):
    """A disclosure that waits for a named person, or waited."""

    __tablename__ = "approval"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    bell: Mapped[UUID] = mapped_column(index=True)
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    recipient: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(30))
    """The recipient's."""
    fields: Mapped[list[str]] = mapped_column(JSON)
    """What would be released."""
    asked: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    """Who may release it: practitioner and role, in the order in which they were asked."""
    state: Mapped[str] = mapped_column(String(10), index=True)
    """awaiting, released, refused, or ended with the bell."""
    round: Mapped[int]
    """How often it has expired."""
    next_role: Mapped[str] = mapped_column(String(30))
    after_hours: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(String(200))


class Disclosure(Base):
    """One link of the ledger: no personal data, never changed and never deleted.

    What the link is about is in `DisclosureContent`, of which this holds a salted hash.
    """

    __tablename__ = "disclosure"
    __table_args__ = {"info": {"grants": "SELECT, INSERT"}}  # noqa: RUF012

    sequence: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    """When it was recorded, ISO 8601 in UTC to the microsecond: as it is hashed."""
    content_hash: Mapped[str] = mapped_column(String(64))
    erases_to: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """Not null: with this record the contents of all records up to that one were erased."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class DisclosureContent(Base):
    """What a link of the ledger says; erased after its time, and then the link still holds."""

    __tablename__ = "disclosure_content"
    __table_args__ = {"info": {"grants": "SELECT, INSERT, DELETE"}}  # noqa: RUF012

    sequence: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=False)
    id: Mapped[UUID]
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    salt: Mapped[str] = mapped_column(String(32))
    """Without it nobody can try out from the hash who the record was about."""
    record: Mapped[dict[str, Any]] = mapped_column(JSON)


class Checkpoint(Base):
    """A signed statement of how long the ledger was and how it ended."""

    __tablename__ = "ledger_checkpoint"
    __table_args__ = {"info": {"grants": "SELECT, INSERT"}}  # noqa: RUF012

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=False)
    records: Mapped[int] = mapped_column(BigInteger, unique=True)
    head: Mapped[str] = mapped_column(String(64))
    """The last record's hash."""
    at: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(16))
    """Which key signed: the first digits of the public key's SHA-256."""
    signature: Mapped[str] = mapped_column(String(128))
    """Ed25519, in hex."""
