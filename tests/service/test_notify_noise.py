"""Less noise: digests, families in one message, inhibition, a limit; nothing held is lost."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from libs.common.school_day import LONDON
from libs.common.settings import ServiceSettings
from tests.conftest import until
from tests.service.notify_app import ADA, BEN, CaseSystem, House, bell, roll, running, works

WHO = "lea"


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


@pytest.fixture
async def reached(house: House) -> AsyncIterator[dict[str, Any]]:
    """Return Lea's endpoint; its messages are listed, and arrive."""
    with CaseSystem() as system:
        yield await house.endpoint(system.url(), practitioner=WHO)


def rings(kind: str = "lateness", change: Any = "raised", sequence: int = 1, **more: Any) -> Any:
    return bell(change, sequence, **{"kind": kind, "severity": "notice", **more})


async def at(house: House, text: str) -> None:
    """Let it be this time in England, and the service look what is due."""
    now = datetime.fromisoformat(text).replace(tzinfo=LONDON)
    house.app.state.notifier.now = lambda: now
    await house.app.state.rounds["held"].look()


async def wish(house: House, who: str = WHO, **wishes: Any) -> None:
    path = f"/v1/practitioners/{who}/preferences"
    answer = await house.client.put(path, json=wishes, headers=house.of(who))
    assert answer.status_code == 200, answer.text


async def sent(house: House, endpoint: dict[str, Any]) -> list[str]:
    return [one["type"] for one in reversed(await house.deliveries(endpoint))]


async def bodies(house: House) -> list[dict[str, Any]]:
    async with house.app.state.database.reading() as db:
        rows = await db.exec_driver_sql("SELECT body FROM delivery ORDER BY number")
        return [json.loads(row.body) for row in rows]


async def held(house: House, who: str = WHO) -> list[str]:
    answer = await house.client.get("/v1/alerts?held=true", headers=house.of(who))
    return sorted(one["held"]["why"] for one in answer.json()["items"])


async def test_notices_gather_and_become_one_message(house: House, reached: dict[str, Any]) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, digest="daily", hour=16)
    await house.tell(rings(), rings("relapse", severity="warning"), rings(upn=BEN))

    assert await sent(house, reached) == ["alert.raised"]
    assert await held(house) == ["digest", "digest"]
    await at(house, "2026-09-14 15:45")
    assert await sent(house, reached) == ["alert.raised"]
    await at(house, "2026-09-14 16:00")
    assert await sent(house, reached) == ["alert.raised", "alert.digest"]
    assert await held(house) == []
    await at(house, "2026-09-14 16:01")

    (_, message) = await bodies(house)
    assert message["data"]["why"] == "digest"
    kinds = [one["kind"] for one in message["data"]["alerts"]]
    names = {one["child"]["given_name"] for one in message["data"]["alerts"]}
    assert (kinds, names) == (["lateness", "lateness"], {"Ada", "Ben"})


async def test_of_what_has_ended_before_the_digest_nothing_is_said(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, digest="daily", hour=16)
    await house.tell(rings(), rings("lateness", "cleared", 2), rings(upn=BEN))
    await at(house, "2026-09-14 16:00")

    assert await sent(house, reached) == ["alert.raised"]


async def test_what_grows_urgent_leaves_the_digest_at_once(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, digest="weekly")
    await house.tell(rings(), rings("lateness", "escalated", 2, severity="urgent"))

    assert await sent(house, reached) == ["alert.raised"]
    assert await held(house) == []


async def test_without_preferences_everything_is_told_at_once(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-13 03:00")
    await house.tell(rings(), rings(upn=BEN))

    assert await sent(house, reached) == ["alert.raised"] * 2


async def test_without_a_digest_any_more_what_waits_is_told(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, digest="weekly")
    await house.tell(rings())
    await wish(house, digest="none")
    await at(house, "2026-09-14 10:01")

    assert await sent(house, reached) == ["alert.raised"]


async def test_one_familys_children_are_one_message(house: House, reached: dict[str, Any]) -> None:
    await house.tell(replace(roll(ADA, BEN, household="H1"), revision=2))
    await at(house, "2026-09-14 10:00")
    await wish(house, together="family")
    await house.tell(rings(severity="warning"))
    await at(house, "2026-09-14 10:05")
    await house.tell(rings(severity="warning", upn=BEN))
    await at(house, "2026-09-14 10:10")

    assert await sent(house, reached) == ["alert.digest"]
    assert await held(house) == []


async def test_severe_absence_swallows_a_weekday_pattern_until_it_is_closed(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await house.tell(rings("severe-absence", severity="warning"), rings("weekday-pattern"))

    assert await sent(house, reached) == ["alert.raised"]
    assert await held(house) == ["inhibited"]
    await at(house, "2026-09-15 10:00")
    assert await held(house) == ["inhibited"]
    (severe,) = [a for a in await house.alerts_of(WHO) if a["kind"] == "severe-absence"]
    path = f"/v1/alerts/{severe['id']}/close"
    await house.client.post(path, json={"outcome": "returned"}, headers=house.of(WHO))
    await at(house, "2026-09-15 10:01")

    assert await sent(house, reached) == ["alert.raised"] * 2


async def test_another_recipients_severe_absence_swallows_nothing_of_mine(house: House) -> None:
    await house.tell(rings("severe-absence", severity="warning"))
    (mine,) = await house.alerts_of("sam")
    path = f"/v1/alerts/{mine['id']}/close"
    await house.client.post(path, json={"outcome": "already_known"}, headers=house.of("sam"))
    await house.tell(rings("weekday-pattern"))

    assert await held(house) == ["inhibited"]
    assert await held(house, "sam") == []


async def test_mass_absence_holds_back_emerging_bells_until_it_is_over(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    mass = {"kind": "mass-absence", "upn": None, "severity": "warning"}
    await house.tell(
        bell(**mass), rings("sudden-change"), rings("penalty-threshold", severity="warning")
    )

    assert await sent(house, reached) == ["alert.raised"] * 2
    assert await held(house) == ["inhibited"]
    await house.tell(bell("cleared", 2, **mass))
    await at(house, "2026-09-16 10:00")

    told = ["alert.raised"] * 2 + ["alert.cleared", "alert.raised"]
    assert await sent(house, reached) == told


async def test_after_mass_absence_a_notice_waits_for_its_digest(house: House) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, digest="daily", hour=16)
    mass = {"kind": "mass-absence", "upn": None, "severity": "warning"}
    await house.tell(bell(**mass), rings("sudden-change"))
    await house.tell(bell("cleared", 2, **mass))
    await at(house, "2026-09-16 10:00")

    assert await held(house) == ["digest"]


async def test_beyond_the_limit_a_digest_takes_over_and_the_operator_is_told_once(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await wish(house, most_a_day=2)
    before = await over(house)
    warnings = [rings("relapse", severity="warning", number=n) for n in range(1, 6)]
    await house.tell(*warnings)
    await house.tell(rings("penalty-threshold", severity="warning"))

    assert await sent(house, reached) == ["alert.raised"] * 3
    assert await held(house) == ["limit"] * 3
    assert await over(house) == before + 1
    await house.tell(rings("relapse", severity="warning", number=9))
    assert await over(house) == before + 1
    await at(house, "2026-09-15 08:00")
    assert await sent(house, reached) == ["alert.raised"] * 3 + ["alert.digest"]


async def over(house: House) -> float:
    text = (await house.client.get("/metrics")).text
    name = "firstbell_recipients_over_limit_total{"
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


async def test_preferences_are_set_by_oneself_ones_agency_or_the_operator(house: House) -> None:
    path, wishes = f"/v1/practitioners/{WHO}/preferences", {"digest": "weekly", "weekday": 2}
    agency = house.bearer(scope="alerts:read alerts:write", agency="elm")

    assert (await house.client.get(path, headers=house.of(WHO))).status_code == 404
    other = await house.client.put(path, json=wishes, headers=house.of("sam"))
    theirs = await house.client.put(path, json=wishes, headers=agency)
    read = await house.client.get(path, headers=house.of(WHO))

    assert (other.status_code, theirs.status_code) == (403, 200)
    assert read.json() == {
        "digest": "weekly",
        "hour": 8,
        "weekday": 2,
        "most_a_day": None,
        "together": "none",
    }


async def test_who_may_see_it_no_more_finds_nothing_of_it_in_the_digest(
    house: House, reached: dict[str, Any]
) -> None:
    await at(house, "2026-09-14 10:00")
    await house.involve(works(), upn=BEN)
    await wish(house, digest="daily", hour=16)
    await house.tell(rings(), rings(upn=BEN), rings("weekday-pattern", upn=BEN))
    keeps = {"kind": "relative", "practitioner": WHO, "reason": "Her aunt"}
    await house.put(f"/v1/children/{ADA}/restrictions", {"restrictions": [keeps]})
    await at(house, "2026-09-14 16:00")

    (message,) = await bodies(house)
    assert {one["child"]["given_name"] for one in message["data"]["alerts"]} == {"Ben"}


async def test_a_digest_is_on_record_for_each_child_and_tells_of_no_other(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url(), practitioner=WHO)
        await at(house, "2026-09-14 10:00")
        await wish(house, digest="daily", hour=16)
        await house.tell(rings(), rings(upn=BEN))
        await at(house, "2026-09-14 16:00")
        house.app.state.sender.wake()
        await system.has(1)

    record = await house.get(f"/v1/children/{BEN}/record")
    (told,) = [one["body"] for one in record["deliveries"]]
    assert [one["child"]["given_name"] for one in told["data"]["alerts"]] == ["Ben"]
    assert "Ada" not in json.dumps(record["deliveries"])

    async def on_record() -> bool:
        records = await house.get(f"/v1/disclosures?upn={BEN}")
        return "delivered" in {one["decision"] for one in records["items"]}

    assert await until(on_record)


async def test_what_comes_after_a_digest_waits_for_it(house: House) -> None:
    with CaseSystem(500) as system:
        await house.endpoint(system.url(), practitioner=WHO)
        await wish(house, digest="daily")
        await house.tell(rings(), rings(upn=BEN))
        await wish(house, digest="none")
        await house.app.state.rounds["held"].look()
        await house.tell(rings("lateness", "cleared", 2))

        got = [json.loads(one.body)["type"] for one in await system.has(3)]
    assert got == ["alert.digest", "alert.digest", "alert.cleared"]
