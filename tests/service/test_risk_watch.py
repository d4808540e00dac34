"""The watch over the real risk service: schools that fall silent, and that are heard of again."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from libs.common.events import CalendarSet, Closure, Event, RegisterTaken, Term
from libs.common.school_day import Session
from libs.common.settings import ServiceSettings
from services.risk.main import create_app
from services.risk.watch import latest_due
from tests.conftest import serving, until
from tests.service.test_risk import ADA, Risk

TUESDAY = date(2026, 9, 15)
HOURS = {Session.am: time(10, 30), Session.pm: time(14, 45)}
TERM = Term(starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 18))


def calendar(urn: str = "100000", revision: int = 1, **closed: Any) -> CalendarSet:
    shut = [Closure(date=TUESDAY, reason="flood", **closed)] if closed else []
    at = datetime(2026, 9, 1, 8, tzinfo=UTC)
    return CalendarSet(
        occurred_at=at, urn=urn, academic_year=2026, revision=revision, terms=[TERM], closed=shut
    )


def register(day: int, session: Session = Session.am, urn: str = "100000") -> RegisterTaken:
    return RegisterTaken(
        occurred_at=datetime(2026, 9, day, 9, tzinfo=UTC), urn=urn, day=date(2026, 9, day),
        session=session, group=None, revision=1, upns=[ADA], codes=["/"],
    )  # fmt: skip


@pytest.fixture
async def risk(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> AsyncIterator[Risk]:
    app = create_app(settings)
    async with serving(app, "risk", settings=settings) as client:
        yield Risk(app, client, token(scope="admin"))


async def at(risk: Risk, hour: int, minute: int, *events: Event) -> list[dict[str, Any]]:
    """Take the events, then look at this hour (England's) of Tuesday."""
    if events:
        await risk.tell(*events)
    watch = risk.app.state.watch

    async def looked() -> bool:
        watch._seen_to = 0
        await watch.look()
        return bool(watch._seen_to) or latest_due(watch.now(), HOURS) is None

    watch.now = lambda: datetime(2026, 9, 15, hour - 1, minute, tzinfo=UTC)
    await until(looked)
    return await risk.bells(kind="register-missing")


@pytest.mark.parametrize(
    ("hour", "minute", "session"), [(10, 29, None), (10, 30, Session.am), (14, 45, Session.pm)]
)
def test_registers_are_due_by_the_clock_in_england(
    hour: int, minute: int, session: Session | None
) -> None:
    summer = latest_due(datetime(2026, 9, 15, hour - 1, minute, tzinfo=UTC), HOURS)
    winter = latest_due(datetime(2026, 12, 15, hour, minute, tzinfo=UTC), HOURS)

    assert [n is None for n in (summer, winter)] == [session is None] * 2
    if summer is not None and winter is not None:
        assert [n % 2 for n in (summer, winter)] == [session is Session.pm] * 2


async def test_a_school_that_falls_silent_rings_grows_graver_and_clears(risk: Risk) -> None:
    assert await at(risk, 10, 29, calendar(), register(14)) == []

    (bell,) = await at(risk, 10, 30)
    # Monday's afternoon is missing too: both make a warning at once.
    assert (bell["upn"], bell["severity"], bell["status"]) == (None, "warning", "ringing")
    assert "Monday 14 September 2026 (afternoon)" in bell["explanation"]
    assert await at(risk, 14, 45) == [bell]

    (cleared,) = await at(risk, 14, 50, register(15, Session.pm))
    assert (cleared["id"], cleared["status"]) == (bell["id"], "cleared")


async def test_one_register_missing_is_a_notice_and_a_day_of_them_a_warning(risk: Risk) -> None:
    (notice,) = await at(risk, 11, 0, calendar(), register(14), register(14, Session.pm))
    (warning,) = await at(risk, 15, 0)

    assert (notice["severity"], warning["severity"]) == ("notice", "warning")
    assert notice["id"] == warning["id"]


async def test_a_closure_that_is_told_of_afterwards_withdraws_the_bell(risk: Risk) -> None:
    monday = (register(14), register(14, Session.pm))
    (bell,) = await at(risk, 11, 0, calendar(), *monday)

    await risk.tell(calendar(revision=2, session=None))

    (withdrawn,) = await risk.bells(kind="register-missing")
    assert (withdrawn["id"], withdrawn["status"]) == (bell["id"], "withdrawn")
    assert "no longer supports" in withdrawn["explanation"]


async def test_a_school_that_never_sent_is_not_expected_and_one_that_sent_is_not_silent(
    risk: Risk,
) -> None:
    assert await at(risk, 11, 0, calendar("100001"), calendar(), register(15)) == []


async def test_when_most_schools_are_silent_the_fault_is_not_theirs(risk: Risk) -> None:
    urns = [str(100000 + n) for n in range(5)]
    known = [event for urn in urns for event in (calendar(urn), register(14, urn=urn))]

    assert await at(risk, 11, 0, *known) == []
