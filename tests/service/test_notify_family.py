"""A family's story over four school weeks, told by every message that was sent.

Ada and Ben are brother and sister. Lea leads on attendance at their school, Sue on safeguarding,
and Hal is its head. Sam is their social worker, and Eve is Sam's colleague.
"""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple

import pytest
from msgspec.structs import replace

from libs.common.events import CalendarSet, Closure, Term
from libs.common.school_day import LONDON, academic_year_of, london_day, utc_now
from libs.common.settings import ServiceSettings
from tests.conftest import until
from tests.service.notify_app import (
    ADA,
    AGENCIES,
    BEN,
    PRACTITIONERS,
    RANG_AT,
    URN,
    CaseSystem,
    House,
    bell,
    roll,
    running,
    works,
)

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri"]
DAYS: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri")
TODAY = london_day(utc_now())
# Gone by, so that the sender finds that everything is due; any weeks will do.
MONDAY = TODAY - timedelta(days=TODAY.weekday(), weeks=5)
PEOPLE = {
    **PRACTITIONERS,
    "hal": {"name": "Hal Head", "agency": "elm", "roles": ["headteacher"]},
}


class Told(NamedTuple):
    """One message: when, to whom, of which type, and of what about whom."""

    when: str
    who: str
    type: str
    about: tuple[str, ...]


def day_of(week: int, day: Day) -> date:
    return MONDAY + timedelta(weeks=week - 1, days=DAYS.index(day))


def calendars() -> list[CalendarSet]:
    """Return term all the time, but for a day without pupils on Monday of the second week."""
    year = academic_year_of(MONDAY)
    return [
        CalendarSet(
            occurred_at=RANG_AT,
            urn=URN,
            academic_year=one,
            revision=1,
            terms=[Term(starts_on=date(one, 8, 1), ends_on=date(one + 1, 7, 31))],
            closed=[Closure(date=day_of(2, "Mon"), reason="INSET")],
        )
        for one in (year, year + 1)
    ]


class Family:
    """The story's clock, and what its people do."""

    def __init__(self, house: House, system: CaseSystem) -> None:
        self.house, self.system = house, system
        self.whose: dict[str, str] = {}

    async def settle(self) -> None:
        """Fill the directory, and let everybody have an endpoint and their wishes."""
        await self.house.settle(AGENCIES, PEOPLE)
        await self.house.involve(works(), upn=BEN)
        family = replace(roll(ADA, BEN, household="H1"), revision=2)
        await self.house.tell(family, *calendars())
        for who in PEOPLE:
            made = await self.house.endpoint(self.system.url(f"/{who}"), practitioner=who)
            self.whose[made["id"]] = who
        await self.wish("lea", digest="weekly", weekday=4, hour=15)
        await self.wish("sam", together="family")

    async def wish(self, who: str, **wishes: Any) -> None:
        await self.does(who, "PUT", f"/v1/practitioners/{who}/preferences", **wishes)

    async def at(self, week: int, day: Day, clock: str, *events: Any) -> None:
        """Let it be this time; what is due is done, and then this rings."""
        now = datetime.combine(day_of(week, day), time.fromisoformat(clock), LONDON)
        self.house.app.state.notifier.now = lambda: now
        for round in self.house.app.state.rounds.values():
            await round.look()
        if events:
            await self.house.tell(*events)

    async def does(self, who: str, method: str, path: str, **body: Any) -> Any:
        answer = await self.house.client.request(
            method, path, json=body or None, headers=self.house.of(who)
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def alert(self, who: str, kind: str, number: int = 1) -> dict[str, Any]:
        """Return somebody's nth alert of a kind."""
        alerts = [one for one in await self.house.alerts_of(who) if one["kind"] == kind]
        return sorted(alerts, key=lambda one: str(one["raised_at"]))[number - 1]

    async def answers(self, who: str, kind: str, step: str, **body: Any) -> Any:
        alert = await self.alert(who, kind)
        return await self.does(who, "POST", f"/v1/alerts/{alert['id']}/{step}", **body)

    async def messages(self) -> list[Told]:
        """Return every message that was made, in order."""
        async with self.house.app.state.database.reading() as db:
            query = "SELECT endpoint, type, body FROM delivery ORDER BY number"
            rows = (await db.exec_driver_sql(query)).all()
        return [self._told(row) for row in rows]

    def _told(self, row: Any) -> Told:
        message = json.loads(row.body)
        at = datetime.fromisoformat(message["timestamp"]).astimezone(LONDON)
        week, weekday = divmod((at.date() - MONDAY).days, 7)
        when = f"{week + 1} {DAYS[weekday]} {at:%H:%M}"
        data = message["data"]
        parts = data["alerts"] if row.type == "alert.digest" else [data]
        endpoint = str(row.endpoint)
        who = next(w for id, w in self.whose.items() if id.replace("-", "") in endpoint)
        return Told(when, who, row.type.removeprefix("alert."), _about(parts))


def _about(parts: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{p['child'].get('given_name', 'school')} {p['kind']}" for p in parts)


@pytest.fixture
async def family(settings: ServiceSettings) -> AsyncIterator[Family]:
    with CaseSystem() as system:
        async with running(settings) as house:
            family = Family(house, system)
            await family.settle()
            yield family


def notice(kind: str, change: Any = "raised", sequence: int = 1, **more: Any) -> Any:
    return bell(change, sequence, **{"kind": kind, "severity": "notice", **more})


def warning(kind: str, change: Any = "raised", sequence: int = 1, **more: Any) -> Any:
    return notice(kind, change, sequence, **{"severity": "warning", **more})


async def first_week(family: Family) -> None:
    """Notices gather; what has ended before Lea's digest is not in it."""
    await family.at(1, "Mon", "09:10", notice("lateness"))
    await family.at(1, "Mon", "09:12", notice("lateness", upn=BEN))
    await family.at(1, "Mon", "09:20")
    await family.at(1, "Wed", "09:10", notice("weekday-pattern", number=2))
    await family.at(1, "Wed", "09:20")
    await family.at(1, "Thu", "09:10", notice("lateness", "cleared", 2, upn=BEN))
    await family.at(1, "Fri", "15:00")


FIRST_WEEK = [
    Told("1 Mon 09:20", "sam", "digest", ("Ada lateness", "Ben lateness")),
    Told("1 Wed 09:20", "sam", "raised", ("Ada weekday-pattern",)),
    Told("1 Thu 09:10", "sam", "cleared", ("Ben lateness",)),
    Told("1 Fri 15:00", "lea", "digest", ("Ada lateness", "Ada weekday-pattern")),
]


async def second_week(family: Family) -> None:
    """A warning waits for the morning; an urgent bell nobody answers goes on; Eve takes it over."""
    await family.at(2, "Mon", "12:00", warning("relapse"))
    await family.at(2, "Mon", "15:00")
    await family.at(2, "Tue", "08:00")
    await family.at(2, "Tue", "09:05", bell())
    await family.at(2, "Tue", "13:04")
    await family.at(2, "Tue", "13:06")
    await family.at(2, "Tue", "14:00")
    await family.answers("hal", "unexplained-absence", "acknowledge")
    offer = await family.answers("sam", "unexplained-absence", "hand-over", to="eve")
    await family.does("eve", "POST", f"/v1/hand-overs/{offer['id']}/accept")
    await family.answers("eve", "unexplained-absence", "actions", action="visited")
    await family.at(2, "Wed", "09:30", bell("cleared", 2))
    await family.answers("eve", "unexplained-absence", "close", outcome="returned")


UNEXPLAINED = ("Ada unexplained-absence",)
SECOND_WEEK = [
    Told("2 Tue 08:00", "lea", "raised", ("Ada relapse",)),
    Told("2 Tue 08:00", "sam", "raised", ("Ada relapse",)),
    Told("2 Tue 09:05", "sam", "raised", UNEXPLAINED),
    Told("2 Tue 09:05", "sue", "raised", UNEXPLAINED),
    Told("2 Tue 13:06", "hal", "raised", UNEXPLAINED),
    Told("2 Tue 13:06", "sam", "escalated", UNEXPLAINED),
    Told("2 Tue 13:06", "sue", "escalated", UNEXPLAINED),
    Told("2 Tue 14:00", "eve", "raised", UNEXPLAINED),
    Told("2 Wed 09:30", "eve", "cleared", UNEXPLAINED),
    Told("2 Wed 09:30", "hal", "cleared", UNEXPLAINED),
    Told("2 Wed 09:30", "sam", "cleared", UNEXPLAINED),
    Told("2 Wed 09:30", "sue", "cleared", UNEXPLAINED),
]


async def third_week(family: Family) -> None:
    """A severe absence comes at once and swallows a pattern; half the school is away."""
    mass = {"kind": "mass-absence", "upn": None}
    await family.at(3, "Mon", "09:10", warning("severe-absence"))
    await family.answers("lea", "severe-absence", "acknowledge")
    await family.answers("sam", "severe-absence", "actions", action="plan")
    await family.at(3, "Tue", "09:10", notice("weekday-pattern", number=3))
    await family.at(3, "Thu", "09:10", warning(**mass), notice("sudden-change", upn=BEN))
    await family.at(3, "Fri", "09:10", warning(change="cleared", sequence=2, **mass))
    await family.at(3, "Fri", "09:11")
    await family.at(3, "Fri", "09:21")
    await family.at(3, "Fri", "15:00")


SEVERE = ("Ada severe-absence",)
THIRD_WEEK = [
    Told("3 Mon 09:10", "lea", "raised", SEVERE),
    Told("3 Mon 09:10", "sam", "raised", SEVERE),
    Told("3 Mon 09:10", "sue", "raised", SEVERE),
    Told("3 Thu 09:10", "lea", "raised", ("school mass-absence",)),
    Told("3 Fri 09:10", "lea", "cleared", ("school mass-absence",)),
    Told("3 Fri 09:21", "sam", "raised", ("Ben sudden-change",)),
    Told("3 Fri 15:00", "lea", "raised", ("Ben sudden-change",)),
]


async def fourth_week(family: Family) -> None:
    """Ada is back: the severe absence is closed, and what it swallowed still rings and is told."""
    await family.at(4, "Wed", "10:00")
    await family.answers("lea", "severe-absence", "close", outcome="returned")
    await family.answers("sam", "severe-absence", "close", outcome="support_in_place")
    await family.at(4, "Wed", "10:01")
    await family.at(4, "Wed", "10:11")
    await family.at(4, "Thu", "09:10", warning("severe-absence", "cleared", 2))
    await family.at(4, "Fri", "15:00")


FOURTH_WEEK = [
    Told("4 Wed 10:11", "sam", "raised", ("Ada weekday-pattern",)),
    Told("4 Thu 09:10", "lea", "cleared", SEVERE),
    Told("4 Thu 09:10", "sam", "cleared", SEVERE),
    Told("4 Thu 09:10", "sue", "cleared", SEVERE),
    Told("4 Fri 15:00", "lea", "raised", ("Ada weekday-pattern",)),
]


def by_time(told: Sequence[Told]) -> list[Told]:
    """Return messages in order of time, those of one moment by whose they are."""
    moments = {one.when: place for place, one in reversed(list(enumerate(told)))}
    return sorted(told, key=lambda one: (moments[one.when], one.who, one.type))


async def test_every_message_of_four_weeks_is_listed_and_right(family: Family) -> None:
    weeks = (first_week, second_week, third_week, fourth_week)
    expected = (FIRST_WEEK, SECOND_WEEK, THIRD_WEEK, FOURTH_WEEK)
    before = 0
    for week, told in zip(weeks, expected, strict=True):
        await week(family)
        messages = await family.messages()
        assert by_time(messages[before:]) == by_time(told)
        before = len(messages)

    await all_have_come(family, before)
    await what_was_done_is_on_record(family)


async def all_have_come(family: Family, messages: int) -> None:
    """Each message came once, to the endpoint of whom it was for, and nothing is held any more."""
    got = await family.system.has(messages)
    assert len({one.headers["webhook-id"] for one in got}) == messages == len(got)
    to = sorted(one.who for one in await family.messages())
    assert sorted(one.path.strip("/") for one in got) == to
    for who in PEOPLE:
        assert (await family.does(who, "GET", "/v1/alerts?held=true"))["items"] == []


async def what_was_done_is_on_record(family: Family) -> None:
    eves = await family.alert("eve", "unexplained-absence")
    assert eves["status"] == "closed"
    done = [(past["what"], past.get("action") or past.get("outcome")) for past in eves["history"]]
    assert done == [
        ("alert.raised", None),
        ("acknowledged", None),
        ("action", "visited"),
        ("alert.cleared", None),
        ("closed", "returned"),
    ]
    hals = await family.alert("hal", "unexplained-absence")
    assert hals["history"][0]["why"] == "unanswered"

    async def delivered() -> bool:
        records = (await family.house.get("/v1/disclosures?limit=500"))["items"]
        alerts = [len(one.about) for one in await family.messages()]
        return sum(one["decision"] == "delivered" for one in records) == sum(alerts)

    assert await until(delivered)
    assert (await family.house.get("/v1/disclosures/verify"))["ok"]
