"""Queries about what is held back, and what holds it: silences, wishes, other bells."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import add_missing, among, upsert
from services.notify.tables import (
    Alert,
    Held,
    MessagesOfDay,
    Preferences,
    Silence,
    StoredBell,
)
from services.notify.timing import GATHER_FOR, Wishes

TOGETHER_WITHIN = GATHER_FOR
"""What is due so soon goes out with what is due now."""
MOST_TOGETHER = 100
"""Alerts in one message; the others follow in the next."""
OPEN = ("raised", "acknowledged", "in_progress")


class OfDay(NamedTuple):
    """A recipient's messages of a day, and whether the operator knows that it is their limit."""

    messages: int
    told: bool


_SILENCES = select(Silence.__table__).where(
    Silence.practitioner.in_(among("people")),
    or_(Silence.upn.in_(among("upns")), Silence.upn.is_(None)),
    Silence.ended_at.is_(None),
    Silence.until >= bindparam("day"),
)
_HELD = select(Held.__table__).where(Held.bell.in_(among("bells")))
_RINGING = select(StoredBell.urn, StoredBell.kind, StoredBell.id).where(
    StoredBell.urn.in_(among("urns")),
    StoredBell.kind.in_(among("kinds")),
    StoredBell.upn.is_(None),
    StoredBell.status == "ringing",
)
_OPEN_ALERTS = select(Alert.recipient, Alert.upn, Alert.kind, Alert.bell).where(
    Alert.upn.in_(among("upns")), Alert.kind.in_(among("kinds")), Alert.status.in_(OPEN)
)
_WISHES = select(
    Preferences.practitioner, *(getattr(Preferences, name) for name in Wishes._fields)
).where(Preferences.practitioner.in_(among("people")))
_MESSAGES = select(MessagesOfDay.practitioner, MessagesOfDay.messages, MessagesOfDay.told).where(
    MessagesOfDay.practitioner.in_(among("people")), MessagesOfDay.day == bindparam("day")
)


async def silences_on(
    db: AsyncConnection, day: date, people: Collection[str], upns: Collection[str | None]
) -> dict[tuple[str, str | None, str], Row[Any]]:
    """Return these people's silences in force, by practitioner, child and kind.

    Those about these children, and those about schools.
    """
    asked = {"day": day, "people": list(people), "upns": list(upns)}
    rows = await db.execute(_SILENCES, asked)
    return {(row.practitioner, row.upn, row.kind): row for row in rows}


async def held_of(db: AsyncConnection, bells: Collection[UUID]) -> dict[UUID, Row[Any]]:
    """Return what is held of these bells' alerts, by alert."""
    return {row.alert: row for row in await db.execute(_HELD, {"bells": list(bells)})}


async def save_held(
    db: AsyncConnection, hold: Iterable[Mapping[str, Any]], let_go: Collection[UUID]
) -> None:
    """Keep what is held now, and forget what is not any more."""
    await upsert(db, Held, list(hold))
    if let_go:
        await db.execute(delete(Held).where(Held.alert.in_(list(let_go))))


async def alerts_due(db: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
    """Return alerts that are to be looked at again, the longest due first.

    Due is also what another bell holds back that rings no more, or that the recipient has closed:
    it is looked for, and not told by who ends it, so that none is missed however the two meet.
    """
    closed = select(Alert.id).where(
        Alert.bell == Held.by, Alert.recipient == Held.recipient, Alert.status == "closed"
    )
    still = select(StoredBell.id).where(
        StoredBell.id == Held.by, StoredBell.status == "ringing", ~closed.exists()
    )
    query = (
        select(Held.alert)
        .where(or_(Held.due_at <= now, and_(Held.due_at.is_(None), ~still.exists())))
        .order_by(Held.due_at, Held.alert)
        .limit(limit)
    )
    return list((await db.execute(query)).scalars())


async def due_with(db: AsyncConnection, alert: UUID, now: datetime) -> list[Row[Any]]:
    """Return what is held of an alert, with all that is due to be told in one message with it."""
    table = Held.__table__
    first = (await db.execute(select(table).where(Held.alert == alert))).first()
    if first is None or first.bundle is None:
        return [first] if first is not None else []
    query = (
        select(table)
        .where(
            Held.recipient == first.recipient,
            Held.bundle == first.bundle,
            Held.due_at <= now + TOGETHER_WITHIN,
        )
        .order_by(Held.due_at, Held.alert)
        .limit(MOST_TOGETHER)
    )
    return list(await db.execute(query))


async def ringing_at(
    db: AsyncConnection, urns: Collection[str], kinds: Collection[str]
) -> dict[tuple[str, str], UUID]:
    """Return which bells of these kinds about these schools themselves ring."""
    if not kinds:
        return {}
    rows = await db.execute(_RINGING, {"urns": list(urns), "kinds": list(kinds)})
    return {(row.urn, row.kind): row.id for row in rows}


async def open_alerts(
    db: AsyncConnection, upns: Collection[str], kinds: Collection[str]
) -> dict[tuple[str, str | None, str], UUID]:
    """Return whose alerts of these kinds about these children are open: their bells."""
    if not kinds:
        return {}
    rows = await db.execute(_OPEN_ALERTS, {"upns": list(upns), "kinds": list(kinds)})
    return {(row.recipient, row.upn, row.kind): row.bell for row in rows}


async def wishes(db: AsyncConnection, people: Collection[str]) -> dict[str, Wishes]:
    """Return how those of these people want to hear who have said so."""
    rows = await db.execute(_WISHES, {"people": list(people)})
    return {row[0]: Wishes(*row[1:]) for row in rows}


async def messages_of(db: AsyncConnection, day: date, people: Collection[str]) -> dict[str, OfDay]:
    """Return how many messages have gone to each of these people on a day."""
    rows = await db.execute(_MESSAGES, {"day": day, "people": list(people)})
    return {row[0]: OfDay(row.messages, row.told) for row in rows}


async def count_messages(
    db: AsyncConnection, day: date, sent: Mapping[str, int], told: Collection[str]
) -> None:
    """Count messages, and note of whom the operator was told that their limit is reached."""
    table = MessagesOfDay
    whose = sorted({*sent, *told})
    new = [{"practitioner": who, "day": day, "messages": 0, "told": False} for who in whose]
    await add_missing(db, table, new)
    for who in whose:
        values: dict[str, Any] = {"messages": table.messages + sent.get(who, 0)}
        values |= {"told": True} if who in told else {}
        await db.execute(
            update(table).where(table.practitioner == who, table.day == day).values(values)
        )


async def silences_of(db: AsyncConnection, practitioner: str, day: date) -> list[Row[Any]]:
    """Return a practitioner's silences that have not ended, the soonest to end first."""
    table = Silence
    query = (
        select(table.__table__)
        .where(table.practitioner == practitioner, table.ended_at.is_(None), table.until >= day)
        .order_by(table.until, table.id)
    )
    return list(await db.execute(query))


async def add_silence(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Keep a silence."""
    await db.execute(insert(Silence).values(dict(row)))


async def end_silence(db: AsyncConnection, id: UUID, practitioner: str, now: datetime) -> bool:
    """End a practitioner's silence; what it held is due now. Return whether there is such a one."""
    found = await db.execute(
        update(Silence)
        .where(Silence.id == id, Silence.practitioner == practitioner)
        .values(ended_at=now)
    )
    await db.execute(update(Held).where(Held.by == id).values(due_at=now))
    return bool(found.rowcount)
