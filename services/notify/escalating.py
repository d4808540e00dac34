"""What nobody answers goes on to the next role, in school time unless the footing says always."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from libs.common.school_day import london_day
from services.notify import alert_store, life_store
from services.notify.deciding import Decided, decide
from services.notify.school_hours import SchoolDays
from services.notify.sharing_rules import SharingRules
from services.notify.telling import Telling, is_always, telling

log = structlog.get_logger()

ANSWERED = frozenset({"acknowledged", "in_progress", "closed"})
UNHEARD = Counter(
    "firstbell_alerts_nobody_next", "Unanswered alerts with nobody to pass them to", ["service"]
)


async def pass_on(db: AsyncConnection, bell_id: UUID, rules: SharingRules, now: datetime) -> None:
    """Tell the next role of a bell that somebody has not answered in time."""
    out = await telling(db, {bell_id}, now, rules.version)
    bell = (await alert_store.bells_by_id(db, {bell_id}))[bell_id]
    days = (await life_store.school_days_of(db, {bell["urn"]}))[bell["urn"]]
    known = await out.know(db, [bell])
    seeing = {
        one.recipient.person.id: one
        for one in decide(bell, known, rules, london_day(now))
        if one.decision.fields
    }
    overdue = [row for row in out.alerts[bell_id].values() if _is_overdue(row, now)]
    asked: dict[str, list[str]] = {}
    for row in overdue:
        one = seeing.get(row["recipient"])
        if one is None or _answered_beside(row, out):
            out.keep({**row, "answer_by": None})
        elif not (always := is_always(bell, one)) and not days.is_at_work(now):
            out.keep({**row, "answer_by": days.answer_by(now, 0, always=always)})
        else:
            asked.setdefault(row["route"]["escalate_to"], []).append(row["recipient"])
    for role in asked:
        await life_store.add_escalation(db, bell_id, role, now)
    if asked:
        escalations = {bell_id: [*known.escalations.get(bell_id, ()), *asked]}
        known = known._replace(escalations=escalations)
        _tell(bell, decide(bell, known, rules, london_day(now)), asked, days, out)
    await out.write(db)


def _is_overdue(row: Mapping[str, Any], now: datetime) -> bool:
    by = row["answer_by"]
    return row["status"] == "raised" and by is not None and by <= now


def _answered_beside(row: Mapping[str, Any], out: Telling) -> bool:
    # A colleague of the same agency has the same bell in hand.
    return any(
        other["agency"] == row["agency"] and other["status"] in ANSWERED
        for other in out.alerts[row["bell"]].values()
    )


def _tell(
    bell: Mapping[str, Any],
    decided: list[Decided],
    asked: Mapping[str, list[str]],
    days: SchoolDays,
    out: Telling,
) -> None:
    """Tell the next roles, and who has not answered: each once, whatever they are of the two.

    Args:
        asked: by next role, who has not answered.
    """
    held = dict(out.alerts[UUID(str(bell["id"]))])
    unheard = {role for role, waiting in asked.items() if not _next(role, waiting, decided)}
    for _ in unheard:
        UNHEARD.labels("notify").inc()
        log.error("an alert is unanswered and there is nobody next", bell=str(bell["id"]))
    next_of = {id: role for role, waiting in asked.items() for id in waiting}
    hear = next_of.keys() | {id for role in asked for id in _next(role, asked[role], decided)}
    cause = id_of("unanswered", bell["id"], *sorted(asked), *sorted(next_of))
    for one in decided:
        id = one.recipient.person.id
        if not one.decision.fields or id not in hear:
            continue
        out.record(bell, one, cause, "escalated")
        kind = "alert.escalated" if id in held else "alert.raised"
        out.tell(bell, kind, one, cause, why="unanswered")
        if id in next_of:
            again = _again(bell, one, held[id], days, out.now) if next_of[id] in unheard else None
            out.keep({**out.alerts[held[id]["bell"]][id], "answer_by": again})


def _next(role: str, waiting: list[str], decided: list[Decided]) -> set[str]:
    return {
        one.recipient.person.id
        for one in decided
        if one.decision.fields and any(c.role == role for c in one.recipient.capacities)
    } - set(waiting)


def _again(
    bell: Mapping[str, Any], one: Decided, row: Mapping[str, Any], days: SchoolDays, now: datetime
) -> datetime:
    hours = row["route"]["after_hours"]
    return days.answer_by(now, hours, always=is_always(bell, one))
