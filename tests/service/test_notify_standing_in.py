"""A colleague of the same agency stands in for another: an absence, or one alert."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from tests.service.notify_app import ADA, CaseSystem, House, bell, running

TODAY = london_day(utc_now())


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def cover(house: House, by: str = "eve", days: int = 7, who: str = "sam") -> Any:
    body = {"by": by, "from": TODAY.isoformat(), "to": (TODAY + timedelta(days)).isoformat()}
    return await house.client.put("/v1/practitioners/sam/cover", json=body, headers=house.of(who))


async def hand(house: House, to: str = "eve") -> Any:
    (alert,) = await house.alerts_of("sam")
    path = f"/v1/alerts/{alert['id']}/hand-over"
    return await house.client.post(path, json={"to": to}, headers=house.of("sam"))


async def answer(house: House, who: str, said: str) -> Any:
    offers = await house.client.get("/v1/hand-overs", headers=house.of("eve"))
    (offer,) = offers.json()["items"]
    path = f"/v1/hand-overs/{offer['id']}/{said}"
    return await house.client.post(path, headers=house.of(who))


def what(alert: dict[str, Any]) -> list[str]:
    return [past["what"] for past in alert["history"]]


async def test_who_covers_is_told_what_the_absent_one_is_told(house: House) -> None:
    assert (await cover(house)).status_code == 200
    with CaseSystem() as system:
        await house.endpoint(system.url(), practitioner="eve")
        await house.tell(bell())
        await system.has(1)

    (eves,), (sams,) = await house.alerts_of("eve"), await house.alerts_of("sam")
    assert eves["child"]["given_name"] == sams["child"]["given_name"]
    assert eves["child"]["identifiers"] == sams["child"]["identifiers"]
    assert "eve" in {one["recipient"] for one in await house.ledger()}


async def test_after_the_absence_it_is_theirs_no_more(house: House) -> None:
    await cover(house, days=1)
    await house.tell(bell())
    house.app.state.notifier.now = lambda: utc_now() + timedelta(days=3)

    assert await house.alerts_of("eve") == []
    assert len(await house.alerts_of("sam")) == 1


async def test_a_restriction_holds_for_who_covers(house: House) -> None:
    keeps = {"kind": "relative", "practitioner": "eve", "reason": "Her aunt"}
    await house.put(f"/v1/children/{ADA}/restrictions", {"restrictions": [keeps]})
    await cover(house)
    await house.tell(bell())

    assert await house.alerts_of("eve") == []


@pytest.mark.parametrize(
    ("by", "who", "status"),
    [("sue", "sam", 422), ("sam", "sam", 422), ("eve", "sue", 403), ("nobody", "sam", 422)],
)
async def test_a_cover_is_a_colleagues_and_set_by_oneself(
    house: House, by: str, who: str, status: int
) -> None:
    assert (await cover(house, by=by, who=who)).status_code == status


async def test_a_handed_over_alert_is_the_colleagues_once_accepted(house: House) -> None:
    await house.tell(bell())
    offered = await hand(house)
    assert offered.status_code == 201, offered.text
    assert await house.alerts_of("eve") == []

    accepted = await answer(house, "eve", "accept")

    assert accepted.status_code == 200, accepted.text
    (eves,), (sams,) = await house.alerts_of("eve"), await house.alerts_of("sam")
    assert what(eves) == ["alert.raised", "acknowledged"]
    assert what(sams) == ["alert.raised", "handover.accepted"]
    assert (eves["status"], sams["status"]) == ("acknowledged", "acknowledged")
    assert (await hand(house)).status_code == 409


async def test_its_updates_reach_the_colleague(house: House) -> None:
    await house.tell(bell())
    await hand(house)
    await answer(house, "eve", "accept")

    await house.tell(bell("cleared", 2), bell(number=2))

    (eves,) = await house.alerts_of("eve")
    assert what(eves)[-1] == "alert.cleared"


async def test_who_may_not_know_of_the_child_cannot_take_it_out_of_a_colleagues_hands(
    house: House,
) -> None:
    await house.tell(bell())
    await hand(house)
    keeps = {"kind": "relative", "practitioner": "eve", "reason": "Her aunt"}
    await house.put(f"/v1/children/{ADA}/restrictions", {"restrictions": [keeps]})

    refused = await answer(house, "eve", "accept")

    assert refused.status_code == 409
    (sams,) = await house.alerts_of("sam")
    assert (sams["status"], what(sams)) == ("raised", ["alert.raised"])
    assert await house.alerts_of("eve") == []
    assert (await answer(house, "eve", "decline")).status_code == 200


async def test_declined_it_stays_where_it_was(house: House) -> None:
    await house.tell(bell())
    await hand(house)

    assert (await answer(house, "eve", "decline")).status_code == 200

    (sams,) = await house.alerts_of("sam")
    assert (sams["status"], what(sams)[-1]) == ("raised", "handover.declined")
    assert await house.alerts_of("eve") == []


async def test_another_cannot_answer_and_nobody_of_another_agency_is_asked(house: House) -> None:
    await house.tell(bell())
    assert (await hand(house, to="sue")).status_code == 422
    await hand(house)

    assert (await answer(house, "sue", "accept")).status_code == 404


async def test_a_cover_can_be_read_and_ended(house: House) -> None:
    path = "/v1/practitioners/sam/cover"
    await cover(house)

    read = await house.client.get(path, headers=house.of("sam"))
    assert read.json() == {
        "by": "eve",
        "from": TODAY.isoformat(),
        "to": (TODAY + timedelta(7)).isoformat(),
    }
    assert (await house.client.delete(path, headers=house.of("eve"))).status_code == 403
    assert (await house.client.delete(path, headers=house.of("sam"))).status_code == 204

    await house.tell(bell())
    assert await house.alerts_of("eve") == []
    assert (await house.client.get(path, headers=house.of("sam"))).status_code == 404
    assert (await house.client.delete(path, headers=house.of("sam"))).status_code == 404
