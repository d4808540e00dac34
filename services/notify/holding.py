"""What was held back from its recipient is told when nothing holds it back and it still rings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from libs.common.school_day import london_day
from services.notify import alert_store, holding_store, noise
from services.notify.deciding import Decided, Known, decide
from services.notify.messages import digest
from services.notify.sharing_rules import SharingRules
from services.notify.telling import Telling, telling


async def let_go(db: AsyncConnection, alert: UUID, rules: SharingRules, now: datetime) -> None:
    """Tell an alert that is no longer held back, as it stands now, with those told along with it.

    Each is decided and recorded by itself. Who may see one no more, or has closed it unheard, is
    told nothing of it.
    """
    due = {row.alert: row for row in await holding_store.due_with(db, alert, now)}
    if not due:
        return  # it went out with another
    first = next(iter(due.values()))
    bells = await alert_store.bells_by_id(db, {row.bell for row in due.values()})
    urns = {bell["urn"] for bell in bells.values()}
    out = await telling(db, set(bells), now, rules.version, urns)
    told = list(bells.values())
    known = await out.know(db, told)
    await noise.read_all(db, out.noise, told, rules.routes.inhibitions, known.people)
    out.gathered = {} if first.bundle is not None else None
    for row in sorted(due.values(), key=lambda row: _place(bells.get(row.bell, {}), known)):
        if row.bell in bells:
            _tell(row, bells[row.bell], known, rules, out)
    _send_gathered(first.why, out)
    out.noise.let_go |= due.keys() - out.noise.to_hold.keys()
    await out.write(db)


def _place(bell: Mapping[str, Any], known: Known) -> tuple[str, ...]:
    # One family's children stand beside one another, and one child's alerts in their order.
    pupil = known.pupils.get((bell.get("upn"), bell.get("urn", "")), {})
    family = pupil.get("household") or f"~{bell.get('upn')}"
    return (family, str(bell.get("upn")), str(bell.get("raised_at")))


def _tell(
    held: Any, bell: Mapping[str, Any], known: Known, rules: SharingRules, out: Telling
) -> None:
    row = out.alerts[held.bell].get(held.recipient)
    if row is None or row["status"] == "closed" or bell["status"] != "ringing":
        return
    one = _decided(held.recipient, bell, known, rules, out)
    if one is not None:
        cause = id_of("let go", row["id"], held.by, held.since)
        out.record(bell, one, cause, "raised")
        out.tell(bell, "alert.raised", one, cause, why="no longer held back")


def _decided(
    recipient: str, bell: Mapping[str, Any], known: Known, rules: SharingRules, out: Telling
) -> Decided | None:
    for one in decide(bell, known, rules, london_day(out.now)):
        if one.recipient.person.id == recipient and one.decision.fields:
            return one
    return None


def _send_gathered(why: str, out: Telling) -> None:
    for alerts in (out.gathered or {}).values():
        upns = {alert["upn"] for alert in alerts}
        upn = upns.pop() if len(upns) == 1 else None
        causes = [alert["cause"] for alert in alerts]
        message = digest([alert["shown"] for alert in alerts], why, out.now)
        out.post(alerts[0], message, upn, *causes)
