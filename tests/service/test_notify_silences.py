"""A practitioner silences a kind for a child: their own messages alone, and never the urgent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from tests.service.notify_app import ADA, BEN, CaseSystem, House, bell, running

KIND = "sudden-change"


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


def rings(change: Any = "raised", sequence: int = 1, **more: Any) -> Any:
    return bell(change, sequence, **{"kind": KIND, "severity": "warning", **more})


async def silence(house: House, who: str = "sam", **more: Any) -> Any:
    alert = (await house.alerts_of(who))[0]
    until = london_day(utc_now()) + timedelta(days=7)
    body = {"until": until.isoformat(), "reason": "We meet weekly", **more}
    path = f"/v1/alerts/{alert['id']}/silence"
    return await house.client.post(path, json=body, headers=house.of(who))


async def sent(house: House, endpoint: Any) -> list[str]:
    return [one["type"] for one in reversed(await house.deliveries(endpoint))]


async def end_of(house: House, silenced: Any) -> None:
    path = f"/v1/silences/{silenced.json()['id']}/end"
    assert (await house.client.post(path, headers=house.of("sam"))).status_code == 204
    await house.app.state.rounds["held"].look()


async def test_what_is_silenced_is_listed_and_not_sent(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(rings())
        answer = await silence(house)
        await house.tell(rings(number=2), rings("cleared", 2, number=2))

        assert answer.status_code == 201, answer.text
        assert await sent(house, endpoint) == ["alert.raised"]
        alerts = await house.alerts_of("sam")
    assert [one["status"] for one in alerts] == ["cleared", "raised"]
    assert alerts[0]["thread"] == alerts[1]["thread"]
    listed = await house.client.get(
        "/v1/alerts", params={"thread": alerts[0]["thread"]}, headers=house.of("sam")
    )
    assert len(listed.json()["items"]) == 2


async def test_who_was_told_before_hears_of_the_end(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(rings())
        await silence(house)
        await house.tell(rings("cleared", 2))

        assert await sent(house, endpoint) == ["alert.raised", "alert.cleared"]


async def test_what_is_urgent_is_sent_all_the_same(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(rings())
        await silence(house)
        await house.tell(rings(number=2), rings("escalated", 2, number=2, severity="urgent"))

        assert await sent(house, endpoint) == ["alert.raised", "alert.raised"]


async def test_another_child_another_kind_and_another_recipient_are_not_silenced(
    house: House,
) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url(), practitioner="lea")
        await house.tell(rings(), rings(upn=BEN))
        await silence(house)
        await house.tell(rings(number=2))

        assert await sent(house, endpoint) == ["alert.raised"] * 3


async def test_ended_early_what_still_rings_is_told_and_nothing_else(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(rings())
        silenced = await silence(house)
        await house.tell(rings(number=2), rings(number=3), rings("withdrawn", 2, number=3))
        await end_of(house, silenced)

        assert await sent(house, endpoint) == ["alert.raised", "alert.raised"]
        await house.app.state.rounds["held"].look()
        assert len(await sent(house, endpoint)) == 2


async def test_when_its_time_is_over_what_still_rings_is_told(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(rings())
        await silence(house)
        await house.tell(rings(number=2))
        house.app.state.notifier.now = lambda: utc_now() + timedelta(days=8)
        await house.app.state.rounds["held"].look()

        assert len(await sent(house, endpoint)) == 2
    assert (await house.client.get("/v1/silences", headers=house.of("sam"))).json()["items"] == []


async def test_silences_are_the_callers_own(house: House) -> None:
    await house.tell(rings())
    silenced = await silence(house)
    path = f"/v1/silences/{silenced.json()['id']}/end"

    mine = await house.client.get("/v1/silences", headers=house.of("sam"))
    other = await house.client.get("/v1/silences", headers=house.of("lea"))

    assert [one["kind"] for one in mine.json()["items"]] == [KIND]
    assert other.json()["items"] == []
    assert (await house.client.post(path, headers=house.of("lea"))).status_code == 404
    system = house.bearer(scope="alerts:read alerts:write", agency="care")
    assert (await house.client.get("/v1/silences", headers=system)).status_code == 403


async def test_an_urgent_alert_and_a_day_gone_by_are_refused(house: House) -> None:
    await house.tell(rings())
    past = await silence(house, until="2020-01-01")
    await house.tell(rings("escalated", 2, severity="urgent"))

    urgent = await silence(house)

    assert past.status_code == 422
    assert urgent.status_code == 409


async def by_upn(house: House, kind: str = KIND) -> Any:
    until = (london_day(utc_now()) + timedelta(days=7)).isoformat()
    body = {"upn": ADA, "kind": kind, "until": until, "reason": "We meet weekly"}
    return await house.client.post("/v1/silences", json=body, headers=house.of("sam"))


async def test_a_kind_can_be_silenced_before_it_has_rung(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        made = await by_upn(house)
        await house.tell(rings())

        assert await sent(house, endpoint) == []
    assert made.status_code == 201
    listed = await house.client.get("/v1/silences", headers=house.of("sam"))
    assert listed.json()["items"] == [made.json()]
    assert made.json()["upn"] == ADA


async def test_of_a_silenced_alert_the_childs_upn_is_not_told(house: House) -> None:
    await house.tell(rings())

    assert (await silence(house)).json()["upn"] is None


@pytest.mark.parametrize("kind", ["unexplained-absence", "missing-education"])
async def test_kinds_that_ring_of_danger_cannot_be_silenced(house: House, kind: str) -> None:
    await house.tell(rings(kind="unexplained-absence"))

    assert (await silence(house)).status_code == 409
    assert (await by_upn(house, kind)).status_code == 409
