"""How attendance went on after bells, told once its school days are over: for figures of impact."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.database import Database, add_missing
from libs.common.events import BellFollowed
from libs.common.school_day import london_day, utc_now
from services.risk import attendance_store
from services.risk.attendance_counts import Marks
from services.risk.attendance_store import Wanted
from services.risk.follow_up import DAYS, Windows, follow, windows_of
from services.risk.tables import FollowedBell, StoredBell, StoredPupil

EVERY_S = 3600.0
AFTER = timedelta(days=7 * DAYS // 5)
"""So many school days take at least this long."""
BEFORE = timedelta(days=70)
"""So many school days and the longest holiday take no longer."""
GIVE_UP_AFTER = timedelta(days=200)
"""A school of which no registers come any more is not asked for ever."""


@dataclass
class Follower:
    """Looks for bells whose days are over."""

    database: Database
    wake: Callable[[], None]
    now: Callable[[], datetime] = utc_now

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Follow what can be followed now, each school in a transaction of its own."""
        async with self.database.reading() as db:
            urns = await db.scalars(
                select(StoredBell.urn).where(*_due(london_day(self.now()))).distinct()
            )
            schools = sorted(urns)
        for urn in schools:
            async with self.database.transaction() as db:
                await follow_school(db, urn, self.now())
            self.wake()


def _due(today: date) -> tuple[Any, ...]:
    followed = select(FollowedBell.bell).where(FollowedBell.bell == StoredBell.id)
    return (
        StoredBell.upn.is_not(None),
        StoredBell.status != "withdrawn",
        StoredBell.raised_on <= today - AFTER,
        ~followed.exists(),
    )


async def follow_school(db: AsyncConnection, urn: str, now: datetime) -> None:
    """Tell of a school's bells whose days are over, each once."""
    today, bell = london_day(now), StoredBell
    named = (bell.id, bell.upn, bell.raised_on)
    query = select(*named).where(bell.urn == urn, *_due(today)).order_by(bell.raised_on, bell.id)
    due: Sequence[Any] = (await db.execute(query)).all()
    if not due:
        return
    wanted = Wanted(due[0].raised_on - BEFORE, today)
    marks = await attendance_store.read_marks(db, urn, wanted)
    pupils = select(StoredPupil.upn).where(StoredPupil.urn == urn).order_by(StoredPupil.position)
    places = {upn: place for place, upn in enumerate(await db.scalars(pupils))}
    rang: Sequence[Any] = (
        await db.execute(
            select(bell.upn, bell.raised_on).where(
                bell.urn == urn,
                bell.upn.is_not(None),
                bell.status != "withdrawn",
                bell.raised_on >= wanted.first,
            )
        )
    ).all()
    done, events = await asyncio.to_thread(_followed, due, marks, places, rang, now)
    rows = [{"bell": id, "urn": urn, "at": now} for id in done]
    await add_missing(db, FollowedBell, rows)
    await outbox.append(db, "risk", events)


def _followed(
    due: Sequence[Any],
    marks: Marks,
    places: dict[str, int],
    rang: Sequence[Any],
    now: datetime,
) -> tuple[list[Any], list[BellFollowed]]:
    """Return which bells are done with, and what is to be told of them."""
    done, events = [], []
    for bell in due:
        windows = windows_of(marks, bell.raised_on)
        if windows is None:
            if bell.raised_on < london_day(now) - GIVE_UP_AFTER:
                done.append(bell.id)
            continue
        done.append(bell.id)
        place = places.get(bell.upn)
        if place is None or place >= marks.codes.shape[1]:
            continue
        found = follow(marks, windows, place, _free(windows, places, rang, marks))
        if found is not None:
            pupil, alike = found
            events.append(
                BellFollowed(occurred_at=now, bell=bell.id, upn=bell.upn, pupil=pupil, alike=alike)
            )
    return done, events


def _free(windows: Windows, places: dict[str, int], rang: Sequence[Any], marks: Marks) -> Any:
    free = np.ones(marks.codes.shape[1], np.bool_)
    for one in rang:
        if windows.first <= one.raised_on.toordinal() <= windows.last and one.upn in places:
            free[places[one.upn]] = False
    return free
