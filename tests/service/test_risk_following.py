"""Of each bell it is told once how attendance went on, when the school days after it are over."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from libs.common.events import RegisterTaken
from libs.common.school_day import Session
from tests.service.test_risk import ADA, BEN, Risk, register, risk

__all__ = ["risk"]
FIRST = date(2026, 9, 7)
DAYS = [day for n in range(70) if (day := FIRST + timedelta(days=n)).weekday() < 5]


def registers(days: list[date], away: set[date]) -> list[RegisterTaken]:
    """Return whole days in which Ben is there, and Ada but for some."""
    return [
        register({ADA: "O" if day in away else "/", BEN: "/"}, day, session=half)
        for day in days
        for half in Session
    ]


async def told(risk: Risk) -> list[dict[str, Any]]:
    async with risk.app.state.database.reading() as db:
        query = "SELECT value FROM outbox WHERE topic = 'firstbell.followups.v1' ORDER BY id"
        return [json.loads(row.value) for row in await db.exec_driver_sql(query)]


async def look(risk: Risk, after: date) -> None:
    now = datetime(after.year, after.month, after.day, 18, tzinfo=UTC)
    risk.app.state.follower.now = lambda: now
    await risk.app.state.follower.look()


async def test_it_is_told_once_when_the_days_after_are_over(risk: Risk) -> None:
    await risk.tell(*registers(DAYS[:39], set(DAYS[15:20])))
    await look(risk, DAYS[39])
    assert "penalty-threshold" not in {one["kind"] for one in await followed(risk)}

    await risk.tell(*registers(DAYS[39:40], set()))
    for _ in range(2):
        await look(risk, DAYS[40])

    (bell,) = [one for one in await followed(risk) if one["kind"] == "penalty-threshold"]
    assert bell["raised_on"] == DAYS[19].isoformat()
    assert bell["followed"] == {
        "possible_before": 40,
        "missed_before": 10,
        "possible_after": 40,
        "missed_after": 0,
    }


async def followed(risk: Risk) -> list[dict[str, Any]]:
    """Return the bells that were followed, with what was told of the pupil."""
    bells = {one["id"]: one for one in await risk.bells()}
    return [{**bells[one["bell"]], "followed": one["pupil"]} for one in await told(risk)]
