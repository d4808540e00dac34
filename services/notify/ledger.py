"""The ledger: every decision to share or withhold, each bound to the one before by its hash.

A link of the chain (`Disclosure`) holds no personal data, but a salted hash of what was decided
(`DisclosureContent`). So the content can be erased after its time, and the chain still proves what
is left, and that nothing but the erased was taken away.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from libs.common.school_day import utc_now
from services.notify.tables import Disclosure, DisclosureContent

START = "0" * 64
"""`previous_hash` of the first record."""
SALT_BYTES = 16


class Link(NamedTuple):
    """What a record's hash covers: its place, the one before, its time, and all that it says."""

    sequence: int
    previous_hash: str
    at: str
    content_hash: str
    erases_to: int | None = None


class Head(NamedTuple):
    """The end of the chain; before the first record, 0 and `START`."""

    sequence: int
    hash: str


def hash_of(link: Link) -> str:
    """Return a record's hash, SHA-256 in hex."""
    return hashlib.sha256(_canonical(link)).hexdigest()


def content_hash_of(salt: str, record: Mapping[str, Any]) -> str:
    """Return the hash of a salt, in hex, and every word of a record, SHA-256 in hex."""
    return hashlib.sha256(bytes.fromhex(salt) + _canonical(record)).hexdigest()


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False)
_HEAD = select(Disclosure.sequence, Disclosure.hash).order_by(Disclosure.sequence.desc()).limit(1)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('firstbell ledger'))")
_ADD_LINKS, _ADD_CONTENTS = insert(Disclosure), insert(DisclosureContent)


def _canonical(value: Any) -> bytes:
    return _CANONICAL.encode(value).encode()


def instant(at: datetime) -> str:
    """Return an instant as the ledger writes it: texts in the order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def entries() -> Select[Any]:
    """Return the query of all records whose content is kept."""
    chain = (Disclosure.sequence, Disclosure.hash, Disclosure.previous_hash)
    content = DisclosureContent
    return select(*chain, content.record).join(content, content.sequence == Disclosure.sequence)


async def lock(db: AsyncConnection) -> Head:
    """Return the end of the chain; until this transaction ends nobody else appends to it."""
    # SQLite lets one writer in at a time anyway.
    if db.dialect.name == "postgresql":
        await db.execute(_LOCK)
    return await head(db)


async def head(db: AsyncConnection) -> Head:
    """Return the end of the chain."""
    last = (await db.execute(_HEAD)).first()
    return Head(*last) if last else Head(0, START)


async def append(
    db: AsyncConnection, records: Iterable[Mapping[str, Any]], erases_to: int | None = None
) -> None:
    """Add records at the end; two appends wait for one another.

    Args:
        records: what was decided, with `id` and `upn`; every key is hashed.
        erases_to: see `Disclosure.erases_to`.
    """
    last = await lock(db)
    at = instant(utc_now())
    links, contents = [], []
    for record in records:
        salt = secrets.token_hex(SALT_BYTES)
        content_hash = content_hash_of(salt, record)
        link = Link(last.sequence + 1, last.hash, at, content_hash, erases_to)
        last = Head(link.sequence, hash_of(link))
        links.append({**link._asdict(), "hash": last.hash})
        told = {"id": UUID(record["id"]), "upn": record["upn"], "record": dict(record)}
        contents.append({"sequence": link.sequence, "salt": salt, **told})
    if links:
        await db.execute(_ADD_LINKS, links)
        await db.execute(_ADD_CONTENTS, contents)


async def erase_before(db: AsyncConnection, before: datetime) -> int:
    """Erase what records from before an instant say, and record that; return how many.

    The newest record is never erased, and neither is one that came after a kept one.
    """
    await lock(db)
    cut = instant(before)
    kept = select(Disclosure.sequence).where(Disclosure.at >= cut)
    first_kept = await db.scalar(kept.order_by(Disclosure.sequence).limit(1))
    to = (first_kept or (await head(db)).sequence) - 1
    content = DisclosureContent
    first_held = await db.scalar(select(content.sequence).order_by(content.sequence).limit(1))
    if first_held is None or first_held > to:
        return 0
    await append(db, [_erasure(first_held, to)], erases_to=to)
    erased = await db.execute(delete(content).where(content.sequence <= to))
    return int(erased.rowcount)


def _erasure(first: int, last: int) -> dict[str, Any]:
    at = utc_now()
    return {
        "id": str(id_of("ledger erasure", first, last, at)),
        "bell": None,
        "upn": None,
        "recipient": "firstbell",
        "decision": "erased",
        "fields": [],
        "withheld": [],
        "basis": ["UK GDPR Art. 5(1)(e)"],
        "policies": [],
        "decided_at": at.isoformat(),
        "reason": f"what the records {first} to {last} say was kept for its time",
    }
