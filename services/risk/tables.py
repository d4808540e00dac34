"""Risk's tables: books as columns, what they are read by, and bells."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, LargeBinary, MetaData, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.database import CONVENTION, Instant


class Base(DeclarativeBase):
    """Risk's own tables."""

    metadata = MetaData(naming_convention=CONVENTION)


class StoredBook(Base):
    """A school's book; `version` grows with each change, and its row is locked for each."""

    __tablename__ = "book"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    version: Mapped[int]


class StoredPupil(Base):
    """A pupil's position in a school's book, and what the roll says of them."""

    __tablename__ = "pupil"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    upn: Mapped[str] = mapped_column(String(13), primary_key=True, index=True)
    position: Mapped[int]
    entered_on: Mapped[date | None]
    left_on: Mapped[date | None]
    home_la: Mapped[str | None] = mapped_column(String(10))
    cohort: Mapped[int | None]
    """Calendar year in which the academic year of the pupil's birth began: a year group's own."""
    brought_year: Mapped[int | None]
    brought_possible: Mapped[int | None]
    brought_missed: Mapped[int | None]
    """The academic year, and sessions possible and missed in it at former schools."""


class StoredColumn(Base):
    """One session's code numbers, a byte for each pupil in the book's order when it was written."""

    __tablename__ = "book_column"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    codes: Mapped[bytes] = mapped_column(LargeBinary)


class StoredCalendar(Base):
    """When a school is open in an academic year."""

    __tablename__ = "calendar"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    academic_year: Mapped[int] = mapped_column(primary_key=True)
    terms: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    closed: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class StoredInvolvements(Base):
    """Who works with a child: roles, footings and dates, without the practitioners."""

    __tablename__ = "involvements"

    upn: Mapped[str] = mapped_column(String(13), primary_key=True)
    involvements: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class StoredBell(Base):
    """A bell as it stands."""

    __tablename__ = "bell"
    __table_args__ = (
        Index("ix_bell_newest", "raised_at", "id"),
        Index(
            "ix_bell_ringing",
            "kind",
            sqlite_where=text("status = 'ringing'"),
            postgresql_where=text("status = 'ringing'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    urn: Mapped[str] = mapped_column(String(6), index=True)
    upn: Mapped[str | None] = mapped_column(String(13), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    anchor: Mapped[int]
    severity: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10))
    sequence: Mapped[int]
    raised_on: Mapped[date]
    raised_at: Mapped[datetime] = mapped_column(Instant)
    explanation: Mapped[str]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    rule: Mapped[dict[str, str]] = mapped_column(JSON)


class FollowedBell(Base):
    """A bell of which it has been told how attendance went on, or of which there is nothing."""

    __tablename__ = "followed_bell"

    bell: Mapped[UUID] = mapped_column(primary_key=True)
    urn: Mapped[str] = mapped_column(String(6), index=True)
    at: Mapped[datetime] = mapped_column(Instant)


class JudgedAlert(Base):
    """What somebody who closed an alert said of its bell; the child and they are not named."""

    __tablename__ = "judged_alert"

    alert: Mapped[UUID] = mapped_column(primary_key=True)
    bell: Mapped[UUID] = mapped_column(index=True)
    urn: Mapped[str] = mapped_column(String(6))
    kind: Mapped[str] = mapped_column(String(40))
    version: Mapped[str]
    """The rule's, as the bell was told."""
    raised_on: Mapped[date] = mapped_column(index=True)
    is_false: Mapped[bool]


class StoredSchool(Base):
    """What a school is counted under: its authority, its trust, its phase."""

    __tablename__ = "school"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    la: Mapped[str] = mapped_column(String(3), index=True)
    phase: Mapped[str] = mapped_column(String(9))
    trust: Mapped[str | None] = mapped_column(String(20), index=True)
    trust_name: Mapped[str | None] = mapped_column(String(200))


class StoredPublished(Base):
    """The Department's published rates of one area, phase and time, each from 0 to 1.

    Null: suppressed, or not published.
    """

    __tablename__ = "published"

    period: Mapped[str] = mapped_column(String(4), primary_key=True)
    """`year`: the academic year to date; `week`."""
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    """1 August, or a Monday."""
    area: Mapped[str] = mapped_column(String(9), primary_key=True)
    """The nine characters of England, the region or the authority, e.g. E09000007."""
    phase: Mapped[str] = mapped_column(String(9), primary_key=True)
    academic_year: Mapped[int] = mapped_column(index=True)
    level: Mapped[str] = mapped_column(String(8))
    """`national`, `region` or `la`."""
    la: Mapped[str | None] = mapped_column(String(3), index=True)
    """The authority's three digits."""
    region: Mapped[str | None] = mapped_column(String(9))
    """The region that it is, or lies in."""
    name: Mapped[str] = mapped_column(String(100))
    absence_rate: Mapped[float | None]
    authorised_rate: Mapped[float | None]
    unauthorised_rate: Mapped[float | None]
    persistent_rate: Mapped[float | None]
    severe_rate: Mapped[float | None]
