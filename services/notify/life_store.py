"""Queries about the life of alerts: calendars, escalations, what waits. Nothing here commits."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import add_new, upsert
from libs.common.events import CalendarSet
from services.notify.school_hours import SchoolDays
from services.notify.tables import Alert, Calendar, Escalation


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
    query = select(Calendar.__table__).where(Calendar.urn.in_(list(urns)))
    for row in await db.execute(query):
        found[row.urn][row.academic_year] = {"terms": row.terms, "closed": row.closed}
    return {urn: SchoolDays(calendars) for urn, calendars in found.items()}


async def escalations_of(db: AsyncConnection, bells: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return to which roles each of these bells was passed on."""
    table = Escalation
    query = select(table.bell, table.role).where(table.bell.in_(list(bells))).order_by(table.at)
    found: dict[UUID, list[str]] = {}
    for row in await db.execute(query):
        found.setdefault(row.bell, []).append(row.role)
    return found


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
