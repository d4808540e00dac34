"""Queries about the life of alerts: calendars, escalations, what waits. Nothing here commits."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import add_new, among, upsert
from libs.common.events import BellFollowed, CalendarSet, Event
from services.notify.school_hours import SchoolDays
from services.notify.tables import Alert, Calendar, Escalation, FollowUp

_CALENDARS = select(Calendar.__table__).where(Calendar.urn.in_(among("urns")))


async def save_facts(db: AsyncConnection, events: Iterable[Event]) -> None:
    """Keep calendars, and how attendance went on after bells."""
    for event in events:
        if isinstance(event, CalendarSet):
            await save_calendar(db, event)
        elif isinstance(event, BellFollowed):
            await save_follow_up(db, event)


async def save_follow_up(db: AsyncConnection, event: BellFollowed) -> None:
    """Keep how attendance went on after a bell."""
    row = {
        "bell": event.bell,
        "upn": event.upn,
        "pupil": msgspec.to_builtins(event.pupil),
        "alike": msgspec.to_builtins(event.alike),
        "told_at": event.occurred_at,
    }
    await upsert(db, FollowUp, [row])


async def save_calendar(db: AsyncConnection, event: CalendarSet) -> None:
    """Keep a school's calendar for an academic year."""
    row = {
        "urn": event.urn,
        "academic_year": event.academic_year,
        "terms": msgspec.to_builtins(event.terms),
        "closed": msgspec.to_builtins(event.closed),
    }
    await upsert(db, Calendar, [row])


async def school_days_of(db: AsyncConnection, urns: Collection[str]) -> dict[str, SchoolDays]:
    """Return when each of these schools is open."""
    found: dict[str, dict[int, dict[str, Any]]] = {urn: {} for urn in urns}
    for row in await db.execute(_CALENDARS, {"urns": list(urns)}):
        found[row.urn][row.academic_year] = {"terms": row.terms, "closed": row.closed}
    return {urn: SchoolDays(calendars) for urn, calendars in found.items()}


async def add_escalation(db: AsyncConnection, bell: UUID, role: str, at: datetime) -> None:
    """Keep that a bell was passed on to a role; twice is once."""
    await add_new(db, Escalation, [{"bell": bell, "role": role, "at": at}])


async def bells_unanswered(db: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
    """Return bells of which somebody has not answered in time, the longest overdue first."""
    query = (
        select(Alert.bell)
        .where(Alert.status == "raised", Alert.answer_by <= now)
        .order_by(Alert.answer_by)
        .limit(limit)
    )
    return list(dict.fromkeys((await db.execute(query)).scalars()))
