"""Endpoints are their owners' own: verified, paused, replayed, thin, and every attempt told."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.settings import ServiceSettings
from tests.conftest import until
from tests.service.notify_app import ADA, PRACTITIONER, Answer, CaseSystem, House, bell, running


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def post(house: House, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    answer = await house.client.post(f"/v1/{path}", json=body, headers=house.of("sam"))
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def log_of(house: House, delivery: str, **claims: Any) -> dict[str, Any]:
    claims = claims or {"scope": PRACTITIONER, "practitioner": "sam"}
    return dict(await house.get(f"/v1/deliveries/{delivery}", **claims))


async def states(house: House, endpoint: dict[str, Any]) -> list[str]:
    return [one["state"] for one in reversed(await house.deliveries(endpoint))]


async def come_to(house: House, endpoint: dict[str, Any], *expected: str) -> None:
    async def so_far() -> bool:
        return await states(house, endpoint) == list(expected)

    await until(so_far)


async def test_a_challenge_that_is_told_back_verifies_an_endpoint(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        sent = await post(house, f"endpoints/{made['id']}/challenge", status=202)
        (got,) = await system.has(1)
        await come_to(house, made, "delivered")
        told = json.loads(got.body)["data"]["challenge"]
        path = f"endpoints/{made['id']}/verify"

        await post(house, path, {"challenge": "guessed"}, status=409)
        verified = await post(house, path, {"challenge": told})
        await post(house, path, {"challenge": told}, status=409)

    assert verified["verified_at"]
    assert (await house.get(f"/v1/endpoints/{made['id']}"))["verified_at"]
    assert (await log_of(house, sent["id"]))["body"] is None


async def test_a_challenge_holds_for_a_day(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        await post(house, f"endpoints/{made['id']}/challenge", status=202)
        (got,) = await system.has(1)
        told = json.loads(got.body)["data"]["challenge"]
        await house.execute("UPDATE endpoint SET challenge_until = datetime('now', '-1 seconds')")

        await post(house, f"endpoints/{made['id']}/verify", {"challenge": told}, status=409)


async def test_where_the_setting_asks_for_it_no_alert_goes_out_before_that(
    settings: ServiceSettings,
) -> None:
    strict = settings.model_copy(update={"verify_endpoints": True})
    async with running(strict) as house:
        await house.settle()
        with CaseSystem() as system:
            made = await house.endpoint(system.url())
            await house.tell(bell())
            await post(house, f"endpoints/{made['id']}/challenge", status=202)
            (got,) = await system.has(1)
            challenge = {"challenge": json.loads(got.body)["data"]["challenge"]}
            await post(house, f"endpoints/{made['id']}/verify", challenge)
            await house.tell(bell(number=2))
            await system.has(2)

        types = [json.loads(one.body)["type"] for one in system.got]
        assert types == ["endpoint.challenge", "alert.raised"]


async def test_messages_wait_while_their_endpoint_is_paused(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        paused = await post(house, f"endpoints/{made['id']}/pause")
        await house.tell(bell(), bell(number=2))
        assert await states(house, made) == ["pending", "pending"]
        assert paused["paused_at"]
        assert system.got == []

        resumed = await post(house, f"endpoints/{made['id']}/resume")
        await system.has(2)

    assert resumed["paused_at"] is None


async def test_what_a_pause_outlasts_ends_and_is_told_at_the_agencys_endpoint(
    house: House,
) -> None:
    with CaseSystem() as away, CaseSystem() as agencys:
        made = await house.endpoint(away.url())
        await post(house, f"endpoints/{made['id']}/pause")
        await house.endpoint(agencys.url(), agency="care")
        await house.tell(bell())
        await agencys.has(1)
        await house.execute(
            "UPDATE delivery SET pending_since = datetime(pending_since, '-8 days')"
        )
        await house.app.state.rounds["undelivered"].look()
        _, notice = await agencys.has(2)

    (dead,) = await house.deliveries(made)
    told = json.loads(notice.body)
    assert (dead["state"], dead["last_outcome"]) == ("dead", "not delivered in time")
    assert told["type"] == "delivery.failed"
    assert told["data"] == {"delivery": dead["id"], "endpoint": made["id"], "of": "alert.raised"}


async def test_the_log_tells_each_attempt_and_what_was_delivered(house: House) -> None:
    with CaseSystem(500, Answer(503)) as system:
        made = await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(3)
        await come_to(house, made, "delivered")
        ((delivery),) = await house.deliveries(made)

        told = await log_of(house, delivery["id"])

    assert [one["status"] for one in told["log"]] == [500, 503, 204]
    assert all(one["took_ms"] >= 0 and one["at"] and one["fault"] is None for one in told["log"])
    assert told["next_attempt_at"] is None
    assert told["body"] == json.loads(system.got[0].body)


async def test_the_body_is_shown_to_nobody_who_may_not_see_the_alert_now(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        await house.tell(bell())
        await come_to(house, made, "delivered")
        (delivery,) = await house.deliveries(made)

        manages = await log_of(house, delivery["id"], scope="endpoints:write", practitioner="sam")
        before = await log_of(house, delivery["id"])
        await house.involve()
        after = await log_of(house, delivery["id"])

    assert before["body"]["data"]["child"]
    assert manages["body"] is None
    assert after["body"] is None


async def test_all_since_a_time_are_replayed_under_their_ids(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        await house.tell(bell(), bell(number=2))
        await come_to(house, made, "delivered", "delivered")
        path, since = f"endpoints/{made['id']}/replay", {"since": "2026-01-01T00:00:00Z"}

        none = await post(house, path, since, status=202)
        both = await post(house, path, {**since, "state": "all"}, status=202)
        later = await post(house, path, {"since": "2100-01-01T00:00:00Z", "state": "all"}, 202)
        got = await system.has(4)

    assert [none["messages"], both["messages"], later["messages"]] == [0, 2, 0]
    ids = [one.headers["webhook-id"] for one in got]
    assert sorted(ids[:2]) == sorted(ids[2:])
    assert {json.loads(one.body)["sequence"] for one in got} == {1, 2}


async def test_a_thin_message_bears_ids_alone_and_the_ledger_says_that_nothing_was_told(
    house: House,
) -> None:
    with CaseSystem() as system:
        body = {"practitioner": "sam", "url": system.url(), "thin": True}
        made = await post(house, "endpoints", body, status=201)
        await house.tell(bell())
        (got,) = await system.has(1)
        await come_to(house, made, "delivered")

    (alert,) = await house.alerts_of("sam")
    told = json.loads(got.body)
    assert told["data"] == {"alert": alert["id"], "bell": alert["bell"]}
    assert b"Ada" not in got.body
    assert ADA.encode() not in got.body
    (record,) = [one for one in await house.records() if one["decision"] == "delivered"]
    assert record["fields"] == []


async def test_messages_to_one_endpoint_are_numbered_without_a_gap(house: House) -> None:
    with CaseSystem() as system, CaseSystem() as other:
        await house.endpoint(system.url())
        await house.endpoint(other.url(), practitioner="sue")
        await house.tell(*[bell(number=number) for number in range(1, 8)])
        got = await system.has(7)

    assert sorted(json.loads(one.body)["sequence"] for one in got) == list(range(1, 8))


async def test_a_secret_overlaps_as_long_as_its_owner_says(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        await post(house, f"endpoints/{made['id']}/rotate-secret?overlap_hours=0")
        await house.tell(bell())
        (got,) = await system.has(1)

    assert len(got.headers["webhook-signature"].split()) == 1


async def test_deliveries_are_listed_by_their_state(house: House) -> None:
    with CaseSystem(410) as system:
        made = await house.endpoint(system.url())
        await house.tell(bell())
        await come_to(house, made, "dead")

    path = f"/v1/endpoints/{made['id']}/deliveries"
    assert len((await house.get(f"{path}?state=dead"))["items"]) == 1
    assert (await house.get(f"{path}?state=delivered"))["items"] == []
