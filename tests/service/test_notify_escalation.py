"""What nobody answers goes on to the next role, in school time."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import pytest

from libs.common.events import CalendarSet, Closure, Term
from libs.common.school_day import LONDON
from libs.common.settings import ServiceSettings
from tests.service.notify_app import (
    AGENCIES,
    PRACTITIONERS,
    RANG_AT,
    URN,
    House,
    bell,
    running,
    works,
)

PEOPLE = {
    **PRACTITIONERS,
    "hal": {"name": "Hal Head", "agency": "elm", "roles": ["headteacher"]},
}


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle(AGENCIES, PEOPLE)
        await house.tell(
            CalendarSet(
                occurred_at=RANG_AT,
                urn=URN,
                academic_year=2026,
                revision=1,
                terms=[Term(starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 18))],
                closed=[Closure(date=date(2026, 9, 21), reason="INSET")],
            )
        )
        yield house


async def pass_to(house: House, text: str) -> None:
    """Let it be this time in England, and the service look what is overdue."""
    at = datetime.fromisoformat(text).replace(tzinfo=LONDON)
    house.app.state.notifier.now = lambda: at
    await house.app.state.rounds["escalations"].look()


async def told(house: House, who: str) -> list[str]:
    return [past["what"] for alert in await house.alerts_of(who) for past in alert["history"]]


async def test_unanswered_for_its_hours_the_next_role_is_told(house: House) -> None:
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())
    await pass_to(house, "2026-09-14 12:59")
    assert await told(house, "hal") == []

    await pass_to(house, "2026-09-14 13:01")

    (hals,) = await house.alerts_of("hal")
    assert [past["what"] for past in hals["history"]] == ["alert.raised"]
    assert hals["history"][0]["why"] == "unanswered"
    assert hals["route"] == {"name": "escalation"}
    assert "alert.escalated" in await told(house, "sue")
    assert "alert.escalated" in await told(house, "sam")
    (record,) = [one for one in await house.ledger() if one["recipient"] == "hal"]
    assert record["decision"] == "shared"
    assert record["policies"]


async def test_it_is_passed_on_once(house: House) -> None:
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())
    await pass_to(house, "2026-09-14 13:01")
    before = await told(house, "sue")

    await pass_to(house, "2026-09-15 15:00")

    assert await told(house, "sue") == before


async def test_not_on_a_sunday_and_not_on_an_inset_day(house: House) -> None:
    await pass_to(house, "2026-09-18 14:00")
    await house.tell(bell())

    for day in ("2026-09-19 12:00", "2026-09-20 12:00", "2026-09-21 12:00", "2026-09-22 09:59"):
        await pass_to(house, day)
        assert await told(house, "hal") == []
    await pass_to(house, "2026-09-22 10:01")

    assert await told(house, "hal") == ["alert.raised"]


async def test_a_calendar_that_comes_later_puts_it_off(house: House) -> None:
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())
    await house.tell(
        CalendarSet(
            occurred_at=RANG_AT,
            urn=URN,
            academic_year=2026,
            revision=2,
            terms=[Term(starts_on=date(2026, 9, 16), ends_on=date(2026, 12, 18))],
            closed=[],
        )
    )

    await pass_to(house, "2026-09-14 15:00")
    assert await told(house, "hal") == []
    await pass_to(house, "2026-09-16 08:01")

    assert await told(house, "hal") == ["alert.raised"]


async def test_of_a_child_at_risk_of_exploitation_it_is_at_any_hour(house: House) -> None:
    await house.involve(works(footing="missing_or_exploitation_risk"))
    await pass_to(house, "2026-09-18 22:00")
    await house.tell(bell())

    await pass_to(house, "2026-09-19 02:01")

    assert await told(house, "hal") == ["alert.raised"]


async def test_what_is_acknowledged_or_in_a_colleagues_hands_stays(house: House) -> None:
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())
    for who in ("sue", "sam"):
        (alert,) = await house.alerts_of(who)
        path = f"/v1/alerts/{alert['id']}/acknowledge"
        answer = await house.client.post(path, headers=house.of(who))
        assert answer.status_code == 200

    await pass_to(house, "2026-09-16 15:00")

    assert await told(house, "hal") == []


async def test_the_next_role_hears_how_it_goes_on(house: House) -> None:
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())
    await pass_to(house, "2026-09-14 13:01")

    await house.tell(bell("cleared", 2))

    assert await told(house, "hal") == ["alert.raised", "alert.cleared"]


async def test_who_may_not_know_of_the_child_is_not_told_and_it_is_tried_again(
    house: House,
) -> None:
    keeps = {"kind": "relative", "practitioner": "hal", "reason": "Her father"}
    path = "/v1/children/B801200005001/restrictions"
    await house.put(path, {"restrictions": [keeps]})
    await pass_to(house, "2026-09-14 09:00")
    await house.tell(bell())

    await pass_to(house, "2026-09-14 13:01")
    assert await house.alerts_of("hal") == []
    await house.put(path, {"restrictions": []})
    await pass_to(house, "2026-09-15 13:02")

    assert await told(house, "hal") == ["alert.raised"]
