"""Ingest's tables: registers in compact form, their history, receipts, rolls and calendars."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.database import CONVENTION, Instant

Counter = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Ingest's own tables."""

    metadata = MetaData(naming_convention=CONVENTION)


class StoredRegister(Base):
    """One session's marks of a whole school: a pupil has one mark, whichever group took it.

    `upns` and `codes` are parallel: 13 bytes and one byte for each pupil. `details` holds what few
    pupils have: minutes late, comments, and the groups as runs along `upns`.
    """

    __tablename__ = "register"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    session: Mapped[str] = mapped_column(String(2), primary_key=True)
    revision: Mapped[int]
    upns: Mapped[bytes] = mapped_column(LargeBinary)
    codes: Mapped[bytes] = mapped_column(LargeBinary)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class StoredReceipt(Base):
    """What was answered to a register, a roll or a calendar, and the event that came of it."""

    __tablename__ = "receipt"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    urn: Mapped[str] = mapped_column(String(6))
    subject: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)
    event_id: Mapped[UUID | None]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)


class StoredCorrection(Base):
    """What stood in a register before a change, who changed it and when: kept by law."""

    __tablename__ = "correction"
    __table_args__ = (Index("ix_correction_register", "urn", "day", "session", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    receipt: Mapped[UUID]
    subject: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)
    urn: Mapped[str] = mapped_column(String(6))
    day: Mapped[date]
    session: Mapped[str] = mapped_column(String(2))
    upn: Mapped[str] = mapped_column(String(13))
    from_code: Mapped[str] = mapped_column(String(2))
    to_code: Mapped[str] = mapped_column(String(2))
    from_minutes: Mapped[int | None]
    to_minutes: Mapped[int | None]
    from_comment: Mapped[str | None]
    to_comment: Mapped[str | None]


class QuarantinedMark(Base):
    """A mark that could not be taken, as it was sent, with the reason."""

    __tablename__ = "quarantined_mark"
    __table_args__ = (Index("ix_quarantined_mark_urn", "urn", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    receipt: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(Instant)
    urn: Mapped[str] = mapped_column(String(6))
    day: Mapped[date]
    session: Mapped[str] = mapped_column(String(2))
    index: Mapped[int]
    upn: Mapped[str | None]
    code: Mapped[str | None]
    reason: Mapped[str]


class StoredRoll(Base):
    """A school's roll as a whole; its row is locked for each change."""

    __tablename__ = "roll"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    revision: Mapped[int]


class StoredPupil(Base):
    """One pupil on a school's roll, as the school describes them."""

    __tablename__ = "roll_pupil"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    upn: Mapped[str] = mapped_column(String(13), primary_key=True)
    pupil: Mapped[dict[str, Any]] = mapped_column(JSON)


class StoredCalendar(Base):
    """When a school is open in an academic year; its row is locked for each change."""

    __tablename__ = "calendar"

    urn: Mapped[str] = mapped_column(String(6), primary_key=True)
    academic_year: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int]
    terms: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    closed: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
