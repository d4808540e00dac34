"""Notify's retention: alerts, bells and messages go after their time; the ledger stays provable."""

from datetime import date, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.retention import (
    Erased,
    erase_dead_letters,
    erase_where,
    first_day_kept,
    start_of,
    years_before,
)
from libs.common.settings import ServiceSettings
from services.notify import ledger
from services.notify.tables import (
    Alert,
    AlertRead,
    Approval,
    Child,
    Delivery,
    Escalation,
    FollowUp,
    Handover,
    Held,
    Involvements,
    MessagesOfDay,
    Silence,
    StoredBell,
)


async def erase(database: Database, settings: ServiceSettings, today: date) -> Erased:
    """Erase what is older than the settings let it be; return how many of what."""
    oldest = first_day_kept(today, settings.retain_bells_years)
    sent_from = start_of(today - timedelta(days=settings.retain_deliveries_days))
    told_from = start_of(years_before(today, settings.retain_disclosures_years))
    async with database.transaction() as db:
        raised_on, left_on = StoredBell.bell["raised_on"], Child.pupil["left_on"]
        iso = oldest.isoformat()
        erased = {
            "alerts": await erase_where(db, Alert, Alert.raised_at < start_of(oldest)),
            "bells": await erase_where(db, StoredBell, raised_on.as_string() < iso),
            "children": await erase_where(db, Child, left_on.as_string() < iso),
            "approvals": await erase_where(db, Approval, Approval.requested_at < start_of(oldest)),
            "silences": await erase_where(db, Silence, Silence.until < oldest),
            "escalations": await erase_where(db, Escalation, Escalation.at < start_of(oldest)),
            "hand_overs": await erase_where(db, Handover, Handover.offered_at < start_of(oldest)),
            "held": await erase_where(db, Held, Held.since < start_of(oldest)),
            "messages_of_day": await erase_where(db, MessagesOfDay, MessagesOfDay.day < oldest),
            "follow_ups": await erase_where(db, FollowUp, FollowUp.told_at < start_of(oldest)),
            "reads": await erase_where(db, AlertRead, AlertRead.day < oldest),
            "deliveries": await erase_where(
                db, Delivery, Delivery.created_at < sent_from, Delivery.state != "pending"
            ),
            "involvements": await _erase_involvements(db, oldest),
            "disclosures": await ledger.erase_before(db, told_from),
        }
    return erased | await erase_dead_letters(database, settings, today)


async def _erase_involvements(db: AsyncConnection, oldest: date) -> int:
    """Empty the involvements that have all ended; return of how many children."""
    table = Involvements
    ended = [
        row.upn
        for row in await db.execute(select(table.upn, table.involvements))
        if row.involvements
        and all(one.get("to") and one["to"] < oldest.isoformat() for one in row.involvements)
    ]
    for upn in ended:
        # The row stays: its revision must not begin anew, or the next change would pass for an
        # event that was told before.
        await db.execute(update(table).where(table.upn == upn).values(involvements=[]))
    return len(ended)
