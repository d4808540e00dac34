"""The ledger: every decision to share or withhold, each bound to the one before by its hash."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.tables import Disclosure

START = "0" * 64
"""`previous_hash` of the first record."""


def hash_of(sequence: int, previous_hash: str, record: Mapping[str, Any]) -> str:
    """Return a record's hash, SHA-256 in hex, over its place, the one before, and all it says."""
    canonical = json.dumps([sequence, previous_hash, record], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


async def append(db: AsyncConnection, records: Iterable[Mapping[str, Any]]) -> None:
    """Add records at the end; two appends wait for one another."""
    if db.dialect.name == "postgresql":
        await db.execute(text("SELECT pg_advisory_xact_lock(hashtext('firstbell ledger'))"))
    table = Disclosure
    last = (
        await db.execute(
            select(table.sequence, table.hash).order_by(table.sequence.desc()).limit(1)
        )
    ).first()
    sequence, previous = (last.sequence, last.hash) if last else (0, START)
    rows = []
    for record in records:
        sequence += 1
        own = hash_of(sequence, previous, record)
        rows.append(
            {
                "sequence": sequence,
                "id": record["id"],
                "upn": record["upn"],
                "record": dict(record),
                "previous_hash": previous,
                "hash": own,
            }
        )
        previous = own
    if rows:
        await db.execute(insert(table), [{**row, "id": UUID(row["id"])} for row in rows])


async def first_bad(db: AsyncConnection) -> int | None:
    """Return the sequence of the first record that was changed, removed or moved; None if none."""
    table = Disclosure
    # As text: a record that was changed may be no JSON any more, and its id no id.
    columns = (cast(table.id, String).label("id"), cast(table.record, String).label("record"))
    chain = (table.sequence, table.upn, table.previous_hash, table.hash)
    expected, previous = 1, START
    rows = await db.stream(select(*chain, *columns).order_by(table.sequence))
    async for row in rows:
        if row.sequence != expected or row.previous_hash != previous or not _is_whole(row):
            return expected
        expected, previous = expected + 1, row.hash
    return None


def _is_whole(row: Any) -> bool:
    try:
        record = json.loads(row.record)
        if row.hash != hash_of(row.sequence, row.previous_hash, record):
            return False
        return UUID(row.id) == UUID(record["id"]) and bool(row.upn == record["upn"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
