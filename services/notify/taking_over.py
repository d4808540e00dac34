"""The use case: a colleague takes an alert over, or declines it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.problems import Conflict
from libs.common.school_day import london_day
from services.notify import alert_store, handing_over
from services.notify.deciding import decide
from services.notify.sharing_rules import SharingRules
from services.notify.telling import telling


async def settle(
    db: AsyncConnection, offer: Row[Any], accepted: bool, rules: SharingRules, now: datetime
) -> dict[str, Any]:
    """Keep the answer. Accepted, the taker is told under the rules, and has it in hand.

    Raises:
        Conflict: the taker may see nothing of it, and so cannot have it in hand.
    """
    state = "accepted" if accepted else "declined"
    bell = (await alert_store.bells_by_id(db, {offer.bell}))[offer.bell]
    out = await telling(db, {offer.bell}, now, rules.version, {bell["urn"]})
    await handing_over.note_answer(db, offer.id, state, now)
    entry = {"at": now.isoformat(), "by": offer.taker}
    given = out.alerts[offer.bell][offer.giver]
    changed = {**given, "history": [*given["history"], {**entry, "what": f"handover.{state}"}]}
    if accepted and given["status"] == "raised":
        changed |= {"status": "acknowledged"}
    out.keep(changed)
    if accepted:
        known = await out.know(db, [bell])
        decided = decide(bell, known, rules, london_day(now))
        of_taker = [one for one in decided if one.recipient.person.id == offer.taker]
        if not any(one.decision.fields for one in of_taker):
            raise Conflict("You may not be told of this alert: decline it, so that it stays.")
        for one in of_taker:
            if offer.taker not in out.alerts[offer.bell]:
                out.record(bell, one, offer.id, "handed over")
                out.tell(bell, "alert.raised", one, offer.id, why="handed over")
            taken = out.alerts[offer.bell][offer.taker]
            history = [*taken["history"], {**entry, "what": "acknowledged"}]
            status = "acknowledged" if taken["status"] == "raised" else taken["status"]
            out.keep({**taken, "history": history, "status": status})
    await out.write(db)
    return {**offer._mapping, "state": state, "answered_at": now}
