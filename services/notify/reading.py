"""Alerts as they are read: decided again each time, and each read told to the ledger.

Rules. An alert is found only while its recipient would be told of its bell today: who gained it by
an involvement that has ended, by a role since given up, or before a restriction came, finds it no
more. All that stays is the notice that a bell has ended, which names no child. What is shown is
what the rules, restrictions and directory of this moment permit.

A read is recorded once for each alert, reader and day, and again when what was seen is not what was
seen before.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.database import Database
from libs.common.identifiers import id_of
from libs.common.school_day import london_day
from services.notify import alert_store, ledger
from services.notify.deciding import Decided, decide, known_of
from services.notify.sharing_rules import SharingRules
from services.notify.shown import is_bare


class Seen(NamedTuple):
    """An alert's row as it may be seen now, and the decision; None: a notice of an end."""

    row: dict[str, Any]
    decided: Decided | None

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of what is seen."""
        told = msgspec.json.encode([self.row["shown"], self.row["status"]], order="sorted")
        return hashlib.sha256(told).hexdigest()


async def as_seen_now(
    db: AsyncConnection, rows: Sequence[Mapping[str, Any]], rules: SharingRules, now: datetime
) -> list[Seen]:
    """Return those of these alerts that their recipients may still see, as they may see them."""
    bells = await alert_store.bells_by_id(db, {row["bell"] for row in rows})
    known = await known_of(db, bells.values())
    day = london_day(now)
    decided = {
        (id, one.recipient.person.id): one
        for id, bell in bells.items()
        for one in decide(bell, known, rules, day)
        if one.decision.fields
    }
    seen = [_seen(row, decided.get((row["bell"], row["recipient"]))) for row in rows]
    return [one for one in seen if one is not None]


def _seen(row: Mapping[str, Any], one: Decided | None) -> Seen | None:
    if one is not None:
        names = {name: row["shown"][name] for name in ("alert", "bell")}
        return Seen({**row, "shown": {**names, **one.body}}, one)
    return Seen(dict(row), None) if _is_notice_of_end(row) else None


def _is_notice_of_end(row: Mapping[str, Any]) -> bool:
    told = [past["what"] for past in row["history"] if past["what"].startswith("alert.")]
    return told[-1] in {"alert.cleared", "alert.withdrawn"} and is_bare(row["shown"])


def reader_of(caller: Caller) -> str:
    """Return who reads: a practitioner, an agency's system, or whose token it is."""
    if caller.practitioner is not None:
        return caller.practitioner
    return f"agency {caller.agency}" if caller.agency is not None else caller.subject[:200]


async def unrecorded(
    db: AsyncConnection, seen: Sequence[Seen], reader: str, now: datetime
) -> list[Seen]:
    """Return those of which it is not yet recorded today that this reader has seen them so."""
    ids = {one.row["id"] for one in seen}
    told = await alert_store.reads_told(db, reader, london_day(now), ids)
    return [one for one in seen if (one.row["id"], one.digest) not in told]


async def record_reads(
    db: AsyncConnection, seen: Sequence[Seen], reader: str, version: str, now: datetime
) -> None:
    """Tell the ledger who has seen what, unless another call has told it meanwhile."""
    day = london_day(now)
    rows = [
        {"alert": one.row["id"], "reader": reader, "day": day, "seen": one.digest} for one in seen
    ]
    new = await alert_store.note_reads(db, rows)
    records = [
        _record(one, reader, version, now) for one in seen if (one.row["id"], one.digest) in new
    ]
    await ledger.append(db, records)


def _record(one: Seen, reader: str, version: str, now: datetime) -> dict[str, Any]:
    row, body = one.row, one.row["shown"]
    decision = one.decided.decision if one.decided else None
    return {
        "id": str(id_of("read", row["id"], reader, london_day(now), one.digest)),
        "bell": str(row["bell"]),
        "upn": row["upn"],
        "recipient": row["recipient"],
        "by": reader,
        "decision": "read",
        "fields": decision.fields if decision else [],
        "withheld": body["withheld"],
        "in_part": one.decided.cut if one.decided else [],
        "basis": body["basis"],
        "policies": decision.policies if decision else [],
        "policy_version": version,
        "decided_at": now.isoformat(),
    }


async def read_and_record(
    database: Database,
    caller: Caller,
    rows: Sequence[Mapping[str, Any]],
    rules: SharingRules,
    now: datetime,
) -> list[Mapping[str, Any]]:
    """Return alerts' rows as they may be seen now; nothing is returned before it is recorded."""
    reader = reader_of(caller)
    async with database.reading() as db:
        seen = await as_seen_now(db, rows, rules, now)
        new = await unrecorded(db, seen, reader, now)
    if new:
        async with database.transaction() as db:
            await record_reads(db, new, reader, rules.version, now)
    return [one.row for one in seen]
