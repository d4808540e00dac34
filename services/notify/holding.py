"""What was held back from its recipient is told when nothing holds it back and it still rings."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from libs.common.school_day import london_day
from services.notify import alert_store
from services.notify.deciding import decide, known_of
from services.notify.sharing_rules import SharingRules
from services.notify.telling import telling


async def let_go(db: AsyncConnection, bell_id: UUID, rules: SharingRules, now: datetime) -> None:
    """Tell what of a bell is no longer held back, as it stands now."""
    bell = (await alert_store.bells_by_id(db, {bell_id}))[bell_id]
    out = await telling(db, {bell_id}, now, rules.version, {bell["urn"]})
    known = await known_of(db, [bell], to_change=True)
    due = {row.alert: row for row in out.held.values() if row.due_at and row.due_at <= now}
    for one in decide(bell, known, rules, london_day(now)):
        row = out.alerts[bell_id].get(one.recipient.person.id)
        if row is None or row["id"] not in due or row["status"] == "closed":
            continue
        if one.decision.fields and bell["status"] == "ringing":
            cause = id_of("let go", row["id"], due[row["id"]].by)
            out.record(bell, one, cause, "raised")
            out.tell(bell, "alert.raised", one, cause, why="no longer held back")
    # Who may see it no more, or has closed it unheard, is told nothing.
    out.let_go |= due.keys() - out.to_hold.keys()
    await out.write(db)
