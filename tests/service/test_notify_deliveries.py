"""Signed webhooks over a real socket: retried, in order, until delivered or dead."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from standardwebhooks import Webhook, WebhookVerificationError

from libs.common.settings import ServiceSettings
from tests.conftest import until
from tests.service.notify_app import (
    ADA,
    BEN,
    Answer,
    CaseSystem,
    Got,
    House,
    bell,
    running,
    works,
)


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


def ids(got: list[Got]) -> list[str]:
    return [one.headers["webhook-id"] for one in got]


def types(got: list[Got]) -> list[str]:
    return [json.loads(one.body)["type"] for one in got]


async def ended(house: House, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    async def done() -> list[dict[str, Any]]:
        found = await house.deliveries(endpoint)
        return found if found and all(one["state"] != "pending" for one in found) else []

    return list(await until(done))


async def tried(house: House, endpoint: dict[str, Any]) -> dict[str, Any]:
    async def once() -> dict[str, Any] | None:
        (found,) = await house.deliveries(endpoint)
        return found if found["attempts"] else None

    return dict(await until(once))


async def failed_twice(house: House, endpoint: dict[str, Any]) -> bool:
    oldest = (await house.deliveries(endpoint))[-1]
    return bool(oldest["attempts"] >= 2 and oldest["last_outcome"] == "InvalidToken")


async def post(house: House, path: str, **claims: Any) -> httpx.Response:
    return await house.client.post(path, headers=house.bearer(**claims))


async def test_an_alert_is_signed_as_standard_webhooks_has_it(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        (got,) = await system.has(1)

        body = Webhook(endpoint["secret"]).verify(got.body, got.headers)

        assert endpoint["secret"].startswith("whsec_")
        assert got.headers["content-type"] == "application/json"
        assert set(body) == {"type", "timestamp", "data", "sequence"}
        assert body["type"] == "alert.raised"
        assert set(body["data"]) == {
            "alert", "bell", "kind", "severity", "child", "school", "explanation", "evidence",
            "withheld", "basis",
        }  # fmt: skip
        assert body["data"]["child"]["identifiers"] == {"social_care": "LCS-81"}
        assert ADA not in got.body.decode()
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint["secret"]).verify(got.body + b" ", got.headers)


async def test_the_webhook_shows_what_the_alert_shows(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        (got,) = await system.has(1)

    (alert,) = await house.alerts_of("sam")
    sent = json.loads(got.body)["data"]
    assert sent["alert"] == alert["id"]
    for name in ("bell", "kind", "severity", "child", "school", "withheld", "basis"):
        assert sent[name] == alert[name]


async def test_a_server_error_is_retried_under_the_same_id_with_a_new_timestamp(
    house: House,
) -> None:
    with CaseSystem(500, Answer(503, {"Retry-After": "1"})) as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        got = await system.has(3)
        (delivery,) = await ended(house, endpoint)

    assert len(set(ids(got))) == 1
    assert len({one.body for one in got}) == 1
    assert int(got[2].headers["webhook-timestamp"]) > int(got[0].headers["webhook-timestamp"])
    for one in got:
        Webhook(endpoint["secret"]).verify(one.body, one.headers)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 3)
    assert delivery["id"] == ids(got)[0]
    assert delivery["delivered_at"]
    assert delivery["next_attempt_at"] is None


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_waited_for(house: House, form: str) -> None:
    began = time.monotonic()
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3))
    asked = {"seconds": "2", "date": date}[form]
    with CaseSystem(Answer(429, {"Retry-After": asked})) as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        first, second = await system.has(2)

    # A date has whole seconds, and the first attempt may have been a while on its way.
    since = {"seconds": first.at, "date": began}[form]
    assert second.at - since >= 1.9


@pytest.mark.parametrize("retry_after", ["soon", "-5", "1e999", "٣", ""])
async def test_a_retry_after_that_says_nothing_is_passed_over(
    house: House, retry_after: str
) -> None:
    header = retry_after.encode().decode("latin-1")
    with CaseSystem(Answer(503, {"Retry-After": header})) as system:
        await house.endpoint(system.url())
        await house.tell(bell())

        await system.has(2)


async def test_gone_disables_the_endpoint(house: House) -> None:
    with CaseSystem(410) as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        (delivery,) = await ended(house, endpoint)
        await house.tell(bell(number=2))

        assert (delivery["state"], delivery["attempts"]) == ("dead", 1)
        assert len(await house.deliveries(endpoint)) == len(system.got) == 1
        for path in (f"endpoints/{endpoint['id']}/test", f"deliveries/{delivery['id']}/replay"):
            answer = await post(house, f"/v1/{path}")
            assert answer.status_code == 409
    listed = await house.get("/v1/endpoints")
    assert listed["items"][0]["disabled_at"]


async def test_gone_ends_the_endpoints_other_messages_too(house: House) -> None:
    gone_later = Answer(410, wait_s=0.5)
    with CaseSystem(gone_later) as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(1)
        await house.tell(bell("escalated", 2))  # waits for the one before it

        async def first_ended() -> bool:
            return (await house.deliveries(endpoint))[-1]["state"] == "dead"

        await until(first_ended)

    assert [one["state"] for one in await house.deliveries(endpoint)] == ["dead", "dead"]


async def test_a_message_ends_once_though_two_answers_say_that_its_endpoint_is_gone(
    house: House,
) -> None:
    def heard() -> float:
        labels = {"service": "notify", "outcome": "gone"}
        return REGISTRY.get_sample_value("firstbell_delivery_attempts_total", labels) or 0.0

    async def both_heard() -> bool:
        return heard() == before + 2

    before = heard()
    await house.involve(works(), upn=BEN)
    with CaseSystem(410, Answer(410, wait_s=0.5)) as system, CaseSystem() as other:
        gone, kept = await house.endpoint(system.url()), await house.endpoint(other.url())
        await house.tell(bell(), bell(upn=BEN))
        await until(both_heard)
        await house.tell(bell(number=2))
        await other.has(5)

    assert [one["state"] for one in await house.deliveries(gone)] == ["dead", "dead"]
    told = sorted(types(other.got))
    assert told == ["alert.raised"] * 3 + ["delivery.failed"] * 2
    assert len(set(ids(other.got))) == len(await ended(house, kept)) == 5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(house: House, status: int) -> None:
    with CaseSystem() as elsewhere:
        moved = Answer(status, {"Location": elsewhere.url()})
        with CaseSystem(moved) as system:
            endpoint = await house.endpoint(system.url())
            await house.tell(bell())
            await system.has(2)
            (delivery,) = await ended(house, endpoint)

        assert delivery["attempts"] == 2
        assert elsewhere.got == []


async def test_a_receiver_that_is_away_is_tried_until_it_is_there(house: House) -> None:
    with CaseSystem() as system:
        gone = system.url()
    endpoint = await house.endpoint(gone)
    await house.tell(bell())

    delivery = await tried(house, endpoint)

    assert (delivery["state"], delivery["last_outcome"]) == ("pending", "cannot be connected to")
    assert delivery["next_attempt_at"]


async def test_a_receiver_that_does_not_answer_in_time_is_tried_again(
    settings: ServiceSettings,
) -> None:
    hasty = settings.model_copy(update={"delivery_timeout_s": 0.3})
    async with running(hasty) as house:
        await house.settle()
        await _slow_then_well(house)


async def _slow_then_well(house: House) -> None:
    with CaseSystem(Answer(wait_s=30)) as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        got = await system.has(2)
        (delivery,) = await ended(house, endpoint)

    assert len(set(ids(got))) == 1
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)


async def test_a_receiver_that_hangs_does_not_hold_up_another(house: House) -> None:
    hangs = [Answer(wait_s=30)] * 3
    with CaseSystem(*hangs) as stuck, CaseSystem() as well:
        await house.endpoint(stuck.url())
        await house.endpoint(well.url(), practitioner="sue")
        await house.tell(bell())
        await stuck.has(1)
        started = time.monotonic()
        await house.tell(bell(upn=BEN))  # of whom Sue is told, and Sam is not

        await well.has(2)

        assert time.monotonic() - started < 3


async def test_after_a_week_of_failures_a_message_is_dead_and_can_be_replayed(
    house: House,
) -> None:
    with CaseSystem(*[500] * 1000) as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell())
        await tried(house, endpoint)
        await house.execute(
            "UPDATE delivery SET pending_since = datetime(pending_since, '-7 days')"
        )
        (dead,) = await ended(house, endpoint)
        assert (dead["state"], dead["last_outcome"]) == ("dead", "dead (500)")

        system.answers.clear()
        answer = await post(house, f"/v1/deliveries/{dead['id']}/replay")
        got = await system.has(dead["attempts"] + 1)
        (delivery,) = await ended(house, endpoint)

    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["id"]) == ("pending", dead["id"])
    assert delivery["state"] == "delivered"
    assert len(set(ids(got))) == 1


async def test_messages_about_one_child_come_in_order_and_another_child_does_not_wait(
    house: House,
) -> None:
    await house.involve(works(), upn=BEN)
    with CaseSystem(Answer(503, {"Retry-After": "1"})) as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(1)
        await house.tell(bell("escalated", 2), bell("withdrawn", 3), bell(upn=BEN))
        got = await system.has(5)

    raised, other, *rest = got
    assert "Ben" in other.body.decode()
    assert types([raised, *rest]) == [
        "alert.raised",
        "alert.raised",
        "alert.escalated",
        "alert.withdrawn",
    ]
    assert ids([raised]) == ids(rest[:1])
    assert len(set(ids(got))) == 4


async def test_the_end_of_a_bell_is_delivered_to_who_was_told(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell(), bell("cleared", 2), bell("raised", 3), bell("withdrawn", 4))
        got = await system.has(4)

    assert types(got) == ["alert.raised", "alert.cleared", "alert.raised", "alert.withdrawn"]
    assert len({json.loads(one.body)["data"]["alert"] for one in got}) == 1
    assert len(set(ids(got))) == 4


async def test_a_former_worker_is_told_the_end_and_nothing_of_the_child(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        await house.involve()
        await house.tell(bell("withdrawn", 2))
        _, end = await system.has(2)

    body = json.loads(end.body)
    assert body["type"] == "alert.withdrawn"
    assert body["data"]["child"] == {}
    assert not {"explanation", "evidence", "school"} & set(body["data"])
    assert b"Ada" not in end.body


async def test_an_agencys_endpoint_gets_the_alerts_of_its_practitioners(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url(), agency="care")
        await house.tell(bell())
        (got,) = await system.has(1)

    (alert,) = await house.alerts_of("sam")
    assert json.loads(got.body)["data"]["alert"] == alert["id"]


async def test_the_test_message_bears_no_child(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        answer = await post(house, f"/v1/endpoints/{endpoint['id']}/test")
        (got,) = await system.has(1)
        (delivery,) = await ended(house, endpoint)

    body = Webhook(endpoint["secret"]).verify(got.body, got.headers)
    assert answer.status_code == 202
    assert body["type"] == "endpoint.test"
    assert body["data"] == {"endpoint": endpoint["id"]}
    assert answer.json()["id"] == delivery["id"] == ids([got])[0]
    assert (delivery["type"], delivery["state"]) == ("endpoint.test", "delivered")


async def test_deliveries_are_paged_newest_first(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(*[bell(number=number) for number in range(1, 6)])
        got = await system.has(5)
        path = f"/v1/endpoints/{endpoint['id']}/deliveries?limit=2"

        pages = [await house.get(path)]
        while pages[-1]["next"]:
            pages.append(await house.get(f"{path}&cursor={pages[-1]['next']}"))

    listed = [item["id"] for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert listed == ids(got)[::-1]


async def test_a_message_that_cannot_be_signed_holds_up_no_other(house: House) -> None:
    with CaseSystem() as system:
        broken = await house.endpoint(system.url("/broken"))
        await house.execute("UPDATE endpoint SET secret = x'00'")
        await house.endpoint(system.url("/well"))
        await house.tell(bell(), bell(kind="persistent-absence"))

        got = await system.has(2)
        await until(lambda: failed_twice(house, broken))

    assert {one.path for one in got} == {"/well"}
    assert not house.app.state.running.failing


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "xn--a", "a..b", "[::1", "%31.0.0.1"])
async def test_an_address_that_no_name_can_have_holds_up_no_other(house: House, host: str) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        body = {"practitioner": "sam", "url": f"http://{host}/"}
        odd = await house.client.post("/v1/endpoints", json=body, headers=house.bearer())
        await house.tell(bell())
        await system.has(1)
        if odd.status_code == 201:
            await tried(house, odd.json())

    assert odd.status_code in {201, 422}
    assert not house.app.state.running.failing


async def test_what_a_sender_had_in_hand_when_it_ended_it_sends_at_once_when_it_is_back(
    settings: ServiceSettings,
) -> None:
    named = settings.model_copy(update={"instance": "notify-0"})
    with CaseSystem(Answer(wait_s=60)) as system:
        async with running(named) as house:
            await house.settle()
            await house.endpoint(system.url())
            await house.tell(bell())
            await system.has(1)
        async with running(named):
            got = await system.has(2)

    assert len(set(ids(got))) == 1
