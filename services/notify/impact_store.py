"""Queries for the figures of impact. Nothing here commits."""

from datetime import date, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.retention import start_of
from services.notify.impact_cases import Case, case_of
from services.notify.tables import Agency, Alert, FollowUp, StoredBell

AT_ONCE = 1000


async def cases_of(
    db: AsyncConnection, span: tuple[date, date], *where: ColumnElement[bool]
) -> list[Case]:
    """Return the alerts about children that were raised from day to day, both included.

    Those of withdrawn bells are left out: what was rung for had not been so.
    """
    bell, follow = StoredBell, FollowUp
    query = (
        select(
            Alert.upn,
            Alert.bell,
            Alert.kind,
            Alert.history,
            bell.bell["rule"].label("rule"),
            follow.pupil,
            follow.alike,
        )
        .join(bell, bell.id == Alert.bell)
        .outerjoin(follow, follow.bell == Alert.bell)
        .where(
            Alert.upn.is_not(None),
            Alert.raised_at >= start_of(span[0]),
            Alert.raised_at < start_of(span[1] + timedelta(days=1)),
            bell.status != "withdrawn",
            *where,
        )
    )
    rows = await db.stream(query.execution_options(yield_per=AT_ONCE))
    return [case_of(row) async for row in rows]


def at_schools(urns: list[str]) -> ColumnElement[bool]:
    """Return the condition that an alert is about a pupil of these schools."""
    return StoredBell.urn.in_(urns)


def of_agency(id: str) -> ColumnElement[bool]:
    """Return the condition that an alert is for this agency's practitioners."""
    return Alert.agency == id


async def schools_in(db: AsyncConnection, la: str) -> list[str]:
    """Return the schools that the directory has under an authority's code."""
    rows = await db.execute(select(Agency.urns).where(Agency.la == la))
    return sorted({urn for row in rows for urn in row.urns})
