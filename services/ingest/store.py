"""Every query on registers, their history and receipts. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase

from libs.common.database import upsert
from libs.common.school_day import Session
from services.ingest.held import Correction, Held, code_text, unpacked
from services.ingest.registers import Rejected
from services.ingest.tables import (
    QuarantinedMark,
    StoredCorrection,
    StoredReceipt,
    StoredRegister,
)


class Key(NamedTuple):
    """Which register: a school's session."""

    urn: str
    day: date
    session: Session


class Source(NamedTuple):
    """Where a change came from: its receipt, who sent it, and when."""

    receipt: UUID
    subject: str
    at: datetime


_KEY = (StoredRegister.urn, StoredRegister.day, StoredRegister.session)
_HELD = select(StoredRegister.__table__)


async def held_for_update(db: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Held]:
    """Return what is held for each of these, locked until the transaction ends."""
    wanted = sorted(set(keys))
    await make_rows(
        db,
        StoredRegister,
        [
            {**_named(key), "revision": 0, "upns": b"", "codes": b"", "details": {}}
            for key in wanted
        ],
    )
    values = [(key.urn, key.day, key.session.value) for key in wanted]
    rows = await db.execute(
        _HELD.where(tuple_(*_KEY).in_(values)).order_by(*_KEY).with_for_update()
    )
    found = {
        Key(row.urn, row.day, Session(row.session)): unpacked(
            row.revision, row.upns, row.codes, row.details
        )
        for row in rows
    }
    return {key: found.get(key) or Held() for key in wanted}


async def held(db: AsyncConnection, key: Key) -> Held:
    """Return what is held for one session."""
    where = _KEY[0] == key.urn, _KEY[1] == key.day, _KEY[2] == key.session.value
    row = (await db.execute(_HELD.where(*where))).first()
    return Held() if row is None else unpacked(row.revision, row.upns, row.codes, row.details)


async def make_rows(
    db: AsyncConnection, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Make rows that are not there yet, so that they can be locked.

    SQLite needs none: its transactions that write are alone from their start.
    """
    if db.dialect.name == "postgresql":
        await db.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))


async def keep_registers(db: AsyncConnection, changed: Mapping[Key, Held]) -> None:
    """Store registers as they now stand."""
    await upsert(
        db, StoredRegister, [{**_named(key), **held.packed()} for key, held in changed.items()]
    )


async def keep_receipts(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store receipts."""
    await db.execute(insert(StoredReceipt), list(rows))


async def keep_corrections(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store what stood before."""
    if rows:
        await db.execute(insert(StoredCorrection), list(rows))


async def keep_quarantined(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store marks that could not be taken."""
    if rows:
        await db.execute(insert(QuarantinedMark), list(rows))


def correction_rows(
    key: Key, source: Source, corrected: Sequence[Correction]
) -> list[dict[str, Any]]:
    """Return the rows of these corrections."""
    return [
        {
            **source._asdict(),
            **_named(key),
            "upn": upn,
            "from_code": code_text(before.code),
            "to_code": code_text(now.code),
            "from_minutes": before.minutes,
            "to_minutes": now.minutes,
            "from_comment": before.comment,
            "to_comment": now.comment,
        }
        for upn, before, now in corrected
    ]


def quarantine_rows(key: Key, source: Source, rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    """Return the rows of these marks."""
    return [
        {"receipt": source.receipt, "at": source.at, **_named(key), **asdict(mark)}
        for mark in rejected
    ]


def _named(key: Key) -> dict[str, Any]:
    return {"urn": key.urn, "day": key.day, "session": key.session.value}
