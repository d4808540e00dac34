"""Approvals: what waits for a named person; it expires into escalation, never into silence."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from libs.common.school_day import london_day
from services.notify import alert_store
from services.notify.deciding import Decided, Known, decide, eligible, next_of
from services.notify.sharing_rules import SharingRules
from services.notify.telling import Telling, telling

log = structlog.get_logger()

DOUBLINGS_MAX = 5
"""Each time that nobody has answered, the next term is twice as long, so many times at most."""


def request(bell: Mapping[str, Any], one: Decided, number: int, now: datetime) -> dict[str, Any]:
    """Return the request that somebody approve what `one` would see; the bell's `number`th."""
    next_role, after_hours = next_of(one.recipient)
    return {
        "id": id_of("approval", bell["id"], one.recipient.person.id, number),
        "bell": UUID(str(bell["id"])),
        "upn": bell["upn"],
        "recipient": one.recipient.person.id,
        "role": one.recipient.role,
        "fields": one.decision.awaiting,
        "asked": [{"practitioner": id, "role": role} for id, role in one.asks or ()],
        "state": "awaiting",
        "round": 0,
        "next_role": next_role,
        "after_hours": after_hours,
        "requested_at": now,
        "expires_at": now + timedelta(hours=after_hours),
        "decided_by": None,
    }


def end(row: dict[str, Any], why: str, out: Telling) -> None:
    """End an approval for which there is nothing left to release."""
    row["state"] = "ended"
    out.approvals[row["id"]] = row
    out.record_step(row, "expired", None, why)


class Answer(NamedTuple):
    """What a named person says to a request."""

    release: bool
    by: str
    reason: str | None


async def answer(
    db: AsyncConnection,
    rules: SharingRules,
    bell_id: UUID,
    practitioner: str,
    said: Answer,
    now: datetime,
) -> bool:
    """Release or refuse what of a bell waits for this practitioner; return whether anything does.

    What is released is decided again, now, and told to those who may still see it. What is refused
    is not told; the bell asks again if it grows worse.
    """
    out = await telling(db, {bell_id}, now, rules.version)
    bell, known = await _matter(db, bell_id, out)
    rows = [row for row in known.approvals[bell_id] if _waits_for(practitioner, row)]
    for row in rows:
        _settle(row, said, out)
    if said.release:
        _tell_released(bell, known, rules, rows, out)
    await out.write(db)
    return bool(rows)


def _waits_for(practitioner: str, row: Mapping[str, Any]) -> bool:
    asked = {one["practitioner"] for one in row["asked"]}
    return row["state"] == "awaiting" and practitioner in asked


def _tell_released(
    bell: Mapping[str, Any],
    known: Known,
    rules: SharingRules,
    rows: Sequence[Mapping[str, Any]],
    out: Telling,
) -> None:
    causes = {row["recipient"]: row["id"] for row in rows}
    for one in decide(bell, known, rules, london_day(out.now)):
        cause = causes.get(one.recipient.person.id)
        if cause is not None:
            out.record(bell, one, cause, "approved")
            if one.decision.fields:
                out.tell(bell, "alert.raised", one, cause)


def _settle(row: dict[str, Any], said: Answer, out: Telling) -> None:
    row |= {"state": "released" if said.release else "refused", "decided_by": said.by}
    out.approvals[row["id"]] = row
    out.record_step(row, "approved" if said.release else "refused", said.by, said.reason)
    entry = {"at": out.now.isoformat(), "what": f"approval.{row['state']}", "by": said.by}
    entry |= {"reason": said.reason} if said.reason else {}
    for asked in row["asked"]:
        alert = out.alerts[row["bell"]].get(asked["practitioner"])
        if alert is not None:
            out.keep({**alert, "history": [*alert["history"], entry]})


async def _matter(db: AsyncConnection, bell_id: UUID, out: Telling) -> tuple[dict[str, Any], Known]:
    bell = (await alert_store.bells_by_id(db, {bell_id}))[bell_id]
    return bell, await out.know(db, [bell])


async def ask_further(
    db: AsyncConnection, bell_id: UUID, rules: SharingRules, now: datetime
) -> None:
    """Ask the next role for what of a bell nobody has approved in time."""
    out = await telling(db, {bell_id}, now, rules.version)
    bell, known = await _matter(db, bell_id, out)
    waiting = {
        one.recipient.person.id
        for one in decide(bell, known, rules, london_day(now))
        if one.decision.awaiting
    }
    for row in known.approvals[bell_id]:
        if row["state"] != "awaiting" or row["expires_at"] > now:
            continue
        if row["recipient"] in waiting:
            _ask_next(bell, row, out, known, rules)
        else:
            end(row, "the recipient may not be told any more", out)
    await out.write(db)


def _ask_next(
    bell: Mapping[str, Any], row: dict[str, Any], out: Telling, known: Known, rules: SharingRules
) -> None:
    day = london_day(out.now)
    before = {one["practitioner"] for one in row["asked"]}
    further = [
        {"practitioner": id, "role": role}
        for id, role in eligible(row["next_role"], bell, known, rules, day)
        if id not in before
    ]
    out.record_step(row, "expired", None, f"nobody answered; next: {row['next_role']}")
    term = timedelta(hours=row["after_hours"]) * 2 ** min(row["round"], DOUBLINGS_MAX)
    asked = [*row["asked"], *further]
    changed = {"asked": asked, "round": row["round"] + 1, "expires_at": out.now + term}
    row.update(changed)
    out.approvals[row["id"]] = row
    if not asked:
        log.error("an approval waits and there is nobody to ask", bell=str(bell["id"]))
    for one in decide(bell, known, rules, day):
        is_asked = any(one.recipient.person.id == who["practitioner"] for who in asked)
        if is_asked and one.decision.fields:
            known_before = one.recipient.person.id in out.alerts[row["bell"]]
            kind = "alert.escalated" if known_before else "alert.raised"
            cause = id_of("asked", row["id"], row["round"])
            if not known_before:
                out.record(bell, one, cause, "approval")
            out.tell(bell, kind, one, cause, why="approval expired")
