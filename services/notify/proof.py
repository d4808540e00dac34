"""The proof of the ledger: reads it all, a row at a time, and names the first bad record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import String, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from services.notify import ledger
from services.notify.checkpoints import Seal
from services.notify.ledger import START, Link
from services.notify.tables import Checkpoint, Disclosure, DisclosureContent

LINES_AT_ONCE = 500


class Bad(NamedTuple):
    """The first record that the ledger cannot vouch for, and why."""

    first: int
    why: str


class Verdict(NamedTuple):
    """What the proof came to; `bad` None: the ledger is whole."""

    bad: Bad | None
    records: int
    checkpoints: int


@dataclass
class _Walk:
    """How far along the chain everything held."""

    seal: Seal
    records: int = 0
    hash: str = START
    checkpoints: int = 0
    sealed: int = 0
    """Records under the last checkpoint that held."""
    bare: int = 0
    """The first so many records have no content any more."""
    erased: int = 0
    """The contents of so many were erased, as the chain itself says."""

    def step(self, row: Any) -> Bad | None:
        """Take the next record; return what is wrong with it."""
        expected = self.records + 1
        why = self._fault_of_link(row, expected) or self._fault_of_content(row, expected)
        if why:
            return Bad(expected, why)
        self.records, self.hash = expected, row.hash
        if row.erases_to is not None:
            self.erased = max(self.erased, row.erases_to)
        why = self._fault_of_checkpoint(row) if row.number is not None else None
        return Bad(self.sealed + 1, why) if why else None

    def end(self) -> Bad | None:
        """Return what is wrong with the chain as a whole."""
        if self.bare > self.erased:
            return Bad(self.erased + 1, "its content is gone, and no record says so")
        return None

    def _fault_of_link(self, row: Any, expected: int) -> str | None:
        if row.sequence != expected:
            return f"record {expected} is not in its place"
        if row.previous_hash != self.hash:
            return "it does not follow from the record before it"
        link = Link(row.sequence, row.previous_hash, row.at, row.content_hash, row.erases_to)
        return None if row.hash == ledger.hash_of(link) else "its hash is not that of what it says"

    def _fault_of_content(self, row: Any, expected: int) -> str | None:
        if row.record is None and row.salt is None:
            if self.bare != expected - 1:
                return "its content is gone, though older contents are there"
            self.bare = expected
            return None
        return None if _is_whole(row) else "its content is not what was hashed"

    def _fault_of_checkpoint(self, row: Any) -> str | None:
        if row.number != self.checkpoints + 1:
            return f"checkpoint {self.checkpoints + 1} is not in its place"
        if not self.seal.holds(_checkpoint_of(row)):
            return f"checkpoint {row.number} does not bear our signature"
        if row.head != row.hash:
            return f"the records up to {row.sequence} are not those of checkpoint {row.number}"
        self.checkpoints, self.sealed = row.number, row.sequence
        return None


async def prove(database: Database, seal: Seal, file: Path | None = None) -> Verdict:
    """Read the whole ledger and say whether any record was changed, added, removed or moved.

    Args:
        file: checkpoints kept outside the database; None, or not there: not asked.
    """
    # Its size before the snapshot: a line that is written meanwhile has no row in it yet.
    size = _size(file)
    async with database.reading(snapshot=True) as db:
        walk = _Walk(seal)
        bad = await _walked(db, walk) or await _bad_beside(db, walk)
        if bad is None and file is not None and size:
            bad = await _bad_in_file(db, walk, _lines(file, size))
        return Verdict(bad, walk.records, walk.checkpoints)


async def _walked(db: AsyncConnection, walk: _Walk) -> Bad | None:
    rows = await db.stream(_CHAIN)
    try:
        async for row in rows:
            bad = walk.step(row)
            if bad is not None:
                return bad
    finally:
        await rows.close()
    return walk.end()


def _size(file: Path | None) -> int:
    return file.stat().st_size if file is not None and file.exists() else 0


def _joined() -> Any:
    chain, content, sealed = Disclosure, DisclosureContent, Checkpoint
    return (
        select(
            *(chain.sequence, chain.at, chain.content_hash, chain.erases_to),
            *(chain.previous_hash, chain.hash),
            # As text: a record that was changed may be no JSON any more, and its id no id.
            *(cast(content.record, String).label("record"), cast(content.id, String).label("id")),
            *(content.upn, content.salt),
            *(sealed.number, sealed.records, sealed.head, sealed.key, sealed.signature),
            sealed.at.label("sealed_at"),
        )
        .outerjoin(content, content.sequence == chain.sequence)
        .outerjoin(sealed, sealed.records == chain.sequence)
        .order_by(chain.sequence)
    )


_CHAIN = _joined()


def _is_whole(row: Any) -> bool:
    try:
        record = json.loads(row.record)
        if row.content_hash != ledger.content_hash_of(row.salt, record):
            return False
        return UUID(row.id) == UUID(record["id"]) and bool(row.upn == record["upn"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _checkpoint_of(row: Any) -> dict[str, Any]:
    signed = {name: getattr(row, name) for name in ("number", "records", "head", "key")}
    return {**signed, "at": row.sealed_at, "signature": row.signature}


async def _bad_beside(db: AsyncConnection, walk: _Walk) -> Bad | None:
    """Return what stands in the other tables without a record that it belongs to."""
    content, sealed = DisclosureContent, Checkpoint
    has_link = exists().where(Disclosure.sequence == content.sequence)
    stray = await db.scalar(select(func.min(content.sequence)).where(~has_link))
    if stray is not None:
        return Bad(stray, "there is a content, and no record that it belongs to")
    last = await db.scalar(select(func.max(sealed.records)))
    if last is not None and last > walk.records:
        why = f"a checkpoint knows {last} records: those after {walk.records} are gone"
        return Bad(walk.records + 1, why)
    more = await db.scalar(select(func.count()).select_from(sealed))
    if more != walk.checkpoints:
        return Bad(walk.sealed + 1, "there is a checkpoint of no record")
    return None


async def _bad_in_file(
    db: AsyncConnection, walk: _Walk, lines: Iterator[dict[str, Any]]
) -> Bad | None:
    agreed = 0
    while some := list(islice(lines, LINES_AT_ONCE)):
        held = await _held(db, some)
        for line in some:
            if held.get(line.get("number")) != line:
                return await _difference(db, walk, line, agreed)
            agreed = line["records"]
    return None


async def _held(db: AsyncConnection, lines: Sequence[dict[str, Any]]) -> dict[Any, Any]:
    table = Checkpoint
    numbers = [number for line in lines if isinstance(number := line.get("number"), int)]
    rows = await db.execute(select(table.__table__).where(table.number.in_(numbers)))
    return {row.number: dict(row._mapping) for row in rows}


def _lines(file: Path, size: int) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            if lines.tell() > size:
                return
            try:
                read = json.loads(line)
            except ValueError:
                continue  # half a line: the process was killed as it wrote it
            if isinstance(read, dict):
                yield read


async def _difference(
    db: AsyncConnection, walk: _Walk, line: Mapping[str, Any], agreed: int
) -> Bad:
    """Say how the database differs from a checkpoint in the file that it does not have."""
    number, records = line.get("number"), line.get("records")
    if not walk.seal.holds(line) or not isinstance(records, int):
        return Bad(agreed + 1, f"the file's checkpoint {number} does not bear our signature")
    if records > walk.records:
        why = f"the file's checkpoint {number} knows {records}: those after {walk.records} are gone"
        return Bad(walk.records + 1, why)
    held = await db.scalar(select(Disclosure.hash).where(Disclosure.sequence == records))
    if held != line["head"]:
        why = f"the records up to {records} are not those of the file's checkpoint {number}"
        return Bad(agreed + 1, why)
    return Bad(agreed + 1, f"checkpoint {number} is in the file, and not in the database")
