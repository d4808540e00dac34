"""E-mail over real SMTP, GOV.UK Notify over a real socket, and feeds in the log."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import trustme
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.common import asyncapi
from libs.common.eventlog import Record
from libs.common.events import FEED
from libs.common.settings import ServiceSettings
from services.notify.channels.govuk_notify import GovukNotify
from services.notify.receipts import Receipts
from tests.conftest import until
from tests.service.govuk import EMAIL_TEMPLATE, KEY, TEXT_TEMPLATE, Govuk
from tests.service.mail import PASSWORD, USER, MailServer
from tests.service.notify_app import ADA, Answer, CaseSystem, House, bell, running

BASE = "https://firstbell.example.org"
SAM, PHONE = "sam.worker@care.example.org", "+447700900123"
CODE = re.compile(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}\b")
PERSONAL = (ADA, "Ada", "Example", "LCS-81", "unexplained", "Elm", "Absent")


def by_mail(settings: ServiceSettings, server: MailServer, **more: Any) -> ServiceSettings:
    changed = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none"}
    named = {"mail_from": "firstbell@example.org", "public_url": BASE}
    return settings.model_copy(update={**changed, **named, **more})


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


@pytest.fixture
async def house(settings: ServiceSettings, server: MailServer) -> AsyncIterator[House]:
    async with running(by_mail(settings, server)) as house:
        await house.settle()
        yield house


@pytest.fixture
async def govuk(settings: ServiceSettings) -> AsyncIterator[tuple[House, Govuk]]:
    with Govuk() as there:
        changed = {
            "govuk_notify_key": KEY,
            "govuk_notify_url": there.url(),
            "govuk_notify_email_template": EMAIL_TEMPLATE,
            "govuk_notify_text_template": TEXT_TEMPLATE,
            "public_url": BASE,
        }
        checked = ServiceSettings(**{**settings.model_dump(), **changed})
        async with running(checked) as house:
            await house.settle()
            yield house, there


async def add(house: House, status: int = 201, **body: Any) -> dict[str, Any]:
    owner = {} if "agency" in body else {"practitioner": "sam"}
    answer = await house.client.post(
        "/v1/endpoints", json={**owner, **body}, headers=house.bearer()
    )
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def call(house: House, made: dict[str, Any], what: str, body: Any = None) -> httpx.Response:
    path = f"/v1/endpoints/{made['id']}/{what}"
    return await house.client.post(path, json=body, headers=house.of("sam"))


async def add_verified(house: House, server: MailServer, address: str = SAM) -> dict[str, Any]:
    so_far = len(server.got)
    made = await add(house, channel="email", address=address)
    assert (await call(house, made, "challenge")).status_code == 202
    mail = (await server.has(so_far + 1))[so_far][1]
    (code,) = CODE.findall(mail.get_content())
    verified = await call(house, made, "verify", {"challenge": code})
    assert verified.json()["verified_at"]
    return made


async def come_to(house: House, made: dict[str, Any], state: str) -> dict[str, Any]:
    async def newest() -> dict[str, Any] | None:
        found = await house.deliveries(made)
        return found[0] if found and found[0]["state"] == state else None

    return dict(await until(newest))


async def tried(house: House, made: dict[str, Any]) -> dict[str, Any]:
    async def newest() -> dict[str, Any] | None:
        found = await house.deliveries(made)
        return found[0] if found and found[0]["attempts"] else None

    return dict(await until(newest))


async def test_an_e_mail_is_a_link_and_bears_no_personal_data(
    house: House, server: MailServer
) -> None:
    made = await add_verified(house, server)
    await house.tell(bell())
    _, (to, mail) = await server.has(2)
    sent = await come_to(house, made, "delivered")

    (alert,) = await house.alerts_of("sam")
    assert (to, mail["To"], mail["From"]) == (SAM, SAM, "firstbell@example.org")
    assert mail["Subject"] == "Firstbell: There is a new alert for you."
    assert f"{BASE}/notify/v1/alerts/{alert['id']}" in mail.get_content().splitlines()
    assert "holds no personal data" in mail.get_content()
    assert mail["Message-ID"] == f"<{sent['id']}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [word for word in PERSONAL if word in mail.as_string()] == []


async def test_the_ledger_says_that_it_was_announced_and_that_nothing_was_shown(
    house: House, server: MailServer
) -> None:
    await add_verified(house, server)
    await house.tell(bell())
    await server.has(2)

    async def recorded() -> list[dict[str, Any]]:
        return [one for one in await house.records() if one["decision"] == "delivered"]

    (record,) = await until(recorded)
    assert (record["recipient"], record["fields"]) == ("sam", [])


async def test_nothing_goes_to_an_address_before_its_owner_has_answered(
    house: House, server: MailServer
) -> None:
    made = await add(house, channel="email", address=SAM)
    await house.tell(bell())

    refused = await call(house, made, "test")
    challenged = await call(house, made, "challenge")
    pestered = await call(house, made, "challenge")
    await server.has(1)

    assert (refused.status_code, challenged.status_code, pestered.status_code) == (409, 202, 409)
    assert [one["type"] for one in await house.deliveries(made)] == ["endpoint.challenge"]


async def test_who_has_five_addresses_to_verify_adds_no_sixth(house: House) -> None:
    for n in range(5):
        await add(house, channel="email", address=f"{n}@care.example.org")

    await add(house, 409, channel="email", address=SAM)

    await add(house, url="http://127.0.0.1:9/")


@pytest.mark.parametrize(
    "body",
    [
        {"channel": "email"},
        {"channel": "email", "address": "sam"},
        {"channel": "email", "address": "sam@care.example.org\r\nBcc: eve@example.org"},
        {"channel": "email", "address": "Sam <sam@care.example.org>"},
        {"channel": "email", "address": "a@b.example.org,c@d.example.org"},
        {"channel": "email", "address": SAM, "url": "http://127.0.0.1:9/"},
        {"channel": "webhook", "address": SAM},
        {"channel": "text", "address": PHONE},
        {"channel": "feed"},
        {"channel": "feed", "agency": "care", "address": "firstbell.bells.v1"},
        {"channel": "pigeon", "address": "loft"},
    ],
)
async def test_an_address_that_is_none_of_its_channels_is_refused(
    house: House, body: dict[str, Any]
) -> None:
    problem = await add(house, 422, **body)

    assert "care.example.org" not in json.dumps(problem)


async def test_a_server_that_cannot_now_is_tried_again_with_the_same_message_id(
    settings: ServiceSettings,
) -> None:
    async with MailServer() as server, running(by_mail(settings, server)) as house:
        await house.settle()
        made = await add_verified(house, server)
        server.answers[SAM] = ["451 4.3.0 later", "550 5.7.1 not from you"]
        await house.tell(bell())
        await server.has(2)
        sent = await come_to(house, made, "delivered")
        log = await house.get(f"/v1/deliveries/{sent['id']}")

    assert [one["status"] for one in log["log"]] == [451, 550, 250]


async def test_a_mailbox_that_is_no_more_ends_the_endpoint_and_is_told_elsewhere(
    house: House, server: MailServer
) -> None:
    made = await add_verified(house, server)
    server.answers[SAM] = [f"550 5.1.1 <{SAM}>: no such user"]
    with CaseSystem() as agencys:
        await add(house, agency="care", url=agencys.url())
        await house.tell(bell())
        dead = await come_to(house, made, "dead")
        notice = json.loads((await agencys.has(2))[1].body)

    assert dead["last_outcome"] == "gone (550)"
    assert (await house.get(f"/v1/endpoints/{made['id']}"))["disabled_at"]
    assert notice["type"] == "delivery.failed"


async def test_what_a_webhook_did_not_take_is_announced_by_e_mail(
    house: House, server: MailServer
) -> None:
    await add_verified(house, server)
    with CaseSystem(Answer(410)) as system:
        await add(house, url=system.url())
        await house.tell(bell())
        mails = await server.has(3)

    assert sorted(mail["Subject"] for _, mail in mails[1:]) == [
        "Firstbell: A message to another of your endpoints did not arrive. See your alerts.",
        "Firstbell: There is a new alert for you.",
    ]


async def test_an_address_that_is_not_verified_hears_of_no_failure_either(
    house: House, server: MailServer
) -> None:
    made = await add(house, channel="email", address=SAM)
    with CaseSystem(Answer(410)) as system:
        await come_to_dead(house, await add(house, url=system.url()))

    assert await house.deliveries(made) == []


async def come_to_dead(house: House, made: dict[str, Any]) -> None:
    await house.tell(bell())
    await come_to(house, made, "dead")


async def test_mail_is_encrypted_and_signed_in_for_and_no_log_has_a_secret(
    settings: ServiceSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with MailServer(authority=authority) as server:
        more = {"smtp_tls": "starttls", "smtp_user": USER, "smtp_password": PASSWORD}
        checked = ServiceSettings(**(by_mail(settings, server).model_dump() | more))
        with capture_logs() as logs:
            async with running(checked) as house:
                await house.settle()
                await add_verified(house, server)

    assert server.signed_in == [USER.encode()]
    assert PASSWORD not in str(logs)
    assert SAM not in str(logs)


async def test_a_mail_server_with_anybodys_certificate_gets_no_mail(
    settings: ServiceSettings,
) -> None:
    async with (
        MailServer(authority=trustme.CA()) as server,
        running(by_mail(settings, server, smtp_tls="starttls")) as house,
    ):
        await house.settle()
        made = await add(house, channel="email", address=SAM)
        await call(house, made, "challenge")
        found = await tried(house, made)

    assert server.got == []
    assert found["last_outcome"] == "the mail server's certificate is not valid"


async def test_a_mail_server_that_is_away_is_said_to_be(settings: ServiceSettings) -> None:
    async with MailServer() as server:
        away = by_mail(settings, server)
    async with running(away) as house:
        await house.settle()
        made = await add(house, channel="email", address=SAM)
        await call(house, made, "challenge")

        found = await tried(house, made)

    assert found["last_outcome"] == "the mail server cannot be connected to"


async def test_govuk_notify_sends_e_mails_and_texts_with_a_link_alone(
    govuk: tuple[House, Govuk],
) -> None:
    house, there = govuk
    for channel, address in (("email", SAM), ("text", PHONE)):
        made = await add(house, channel=channel, address=address)
        await call(house, made, "challenge")
        body = (await there.has(1))[-1]["personalisation"]["body"]
        (code,) = CODE.findall(body)
        await call(house, made, "verify", {"challenge": code})
        there.got.clear()
    await house.tell(bell())

    sent = {one["template_id"]: one for one in await there.has(2)}

    (alert,) = await house.alerts_of("sam")
    link = f"{BASE}/notify/v1/alerts/{alert['id']}"
    assert sent[EMAIL_TEMPLATE]["email_address"] == SAM
    assert sent[TEXT_TEMPLATE]["phone_number"] == PHONE
    for one in sent.values():
        assert link in one["personalisation"]["body"]
        assert [word for word in PERSONAL if word in json.dumps(one)] == []
    assert "subject" not in sent[TEXT_TEMPLATE]["personalisation"]


async def test_what_govuk_notify_refuses_is_tried_again_under_the_same_reference(
    govuk: tuple[House, Govuk], caplog: pytest.LogCaptureFixture
) -> None:
    house, there = govuk
    there.answers += [429, 500, 400]
    made = await add(house, channel="text", address=PHONE)
    await call(house, made, "challenge")

    got = await there.has(4)
    sent = await come_to(house, made, "delivered")

    assert {one["reference"] for one in got} == {sent["id"]}
    assert PHONE not in caplog.text


async def test_govuk_notify_that_is_away_is_said_to_be(govuk: tuple[House, Govuk]) -> None:
    house, there = govuk
    there.close()
    made = await add(house, channel="text", address=PHONE)
    await call(house, made, "challenge")

    assert (await tried(house, made))["last_outcome"] == "GOV.UK Notify cannot be connected to"


async def fed(house: House, agency: str, count: int) -> list[Record]:
    found: list[Record] = []

    async def from_the_start(places: Any) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    topic = f"{FEED}{agency}"
    async with aclosing(house.app.state.log.subscribe("test", [topic], from_the_start)) as reading:
        async for records in reading:
            found += records
            if len(found) >= count:
                return found
    return found


async def test_a_feed_is_the_agencys_own_cloud_events_in_order(house: House) -> None:
    made = await add(house, agency="care", channel="feed")
    await house.tell(bell(), bell("escalated", 2), bell("cleared", 3))

    records = await fed(house, "care", 3)

    bodies = [json.loads(record.value) for record in records]
    assert made["address"] == "firstbell.alerts.v1.care"
    assert made["secret"] is None
    assert [body["sequence"] for body in bodies] == [1, 2, 3]
    assert [record.headers["ce_type"] for record in records] == [
        "uk.firstbell.alert.raised",
        "uk.firstbell.alert.escalated",
        "uk.firstbell.alert.cleared",
    ]
    assert records[0].headers["ce_specversion"] == "1.0"
    assert records[0].headers["ce_time"] == bodies[0]["timestamp"]
    assert [record.headers["ce_id"] for record in records] == [
        one["id"] for one in reversed(await house.deliveries(made))
    ]
    assert bodies[0]["data"]["child"]["identifiers"] == {"social_care": "LCS-81"}
    assert not any(ADA in record.value.decode() for record in records)


async def test_a_feeds_event_is_as_the_document_of_events_has_it(house: House) -> None:
    await add(house, agency="care", channel="feed")
    await house.tell(bell())
    (record,) = await fed(house, "care", 1)

    message = asyncapi.document()["components"]["messages"]["Alert"]

    jsonschema.validate(json.loads(record.value), message["payload"])
    jsonschema.validate(dict(record.headers), message["headers"])


async def test_a_feed_says_no_more_than_the_same_agencys_webhook(house: House) -> None:
    with CaseSystem() as system:
        await add(house, agency="care", channel="feed")
        await add(house, agency="care", url=system.url())
        await house.tell(bell())
        (got,) = await system.has(1)
        (record,) = await fed(house, "care", 1)

    assert json.loads(record.value)["data"] == json.loads(got.body)["data"]


async def test_only_webhooks_have_a_secret_to_rotate(house: House) -> None:
    made = await add(house, agency="care", channel="feed")

    answer = await house.client.post(
        f"/v1/endpoints/{made['id']}/rotate-secret", headers=house.bearer()
    )

    assert answer.status_code == 409


async def test_what_is_not_set_up_any_more_is_said_and_waits(
    settings: ServiceSettings, server: MailServer
) -> None:
    async with running(by_mail(settings, server)) as house:
        await house.settle()
        made = await add_verified(house, server)
    async with running(settings) as house:
        await house.tell(bell())
        waiting = await tried(house, made)

    assert waiting["state"] == "pending"
    assert waiting["last_outcome"] == "nothing is set up here for email"


async def test_half_a_channel_stops_the_service_from_starting(settings: ServiceSettings) -> None:
    with pytest.raises(ValueError, match="FIRSTBELL_MAIL_FROM and FIRSTBELL_PUBLIC_URL"):
        ServiceSettings(**{**settings.model_dump(), "smtp_host": "127.0.0.1"})
    more = {"govuk_notify_text_template": TEXT_TEMPLATE, "public_url": BASE}
    with pytest.raises(ValueError, match="FIRSTBELL_GOVUK_NOTIFY_KEY"):
        ServiceSettings(**{**settings.model_dump(), **more})


async def test_events_of_feeds_are_erased_by_their_time(house: House) -> None:
    await add(house, agency="care", channel="feed")
    await house.tell(bell())
    (record,) = await fed(house, "care", 1)
    body = json.loads(record.value)
    later = datetime.fromisoformat(body["timestamp"]) + timedelta(days=1)

    assert await house.app.state.log.erase_before(later) >= 1


async def test_what_a_webhook_has_not_taken_for_an_hour_is_announced_by_e_mail_once(
    house: House, server: MailServer
) -> None:
    await add_verified(house, server)
    with CaseSystem(*[Answer(500)] * 1000) as system:
        made = await add(house, url=system.url())
        await house.tell(bell())
        await server.has(2)
        await tried(house, made)
        late = house.app.state.rounds["late"]
        await late.look()
        assert len(server.got) == 2
        old = "UPDATE delivery SET pending_since = datetime(pending_since, '-61 minutes')"
        await house.execute(f"{old} WHERE state = 'pending'")
        await late.look()
        await late.look()
        mails = await server.has(3)
        await house.execute("UPDATE endpoint SET late_told_at = datetime('now', '-5 hours')")
        await late.look()
        again = await server.has(4)

    assert "Messages to another of your endpoints do not arrive." in mails[2][1].get_content()
    assert again[3][1]["Subject"] == mails[2][1]["Subject"]
    assert again[3][1]["Message-ID"] != mails[2][1]["Message-ID"]


async def test_an_endpoint_that_its_owner_has_paused_is_not_late(
    house: House, server: MailServer
) -> None:
    mail = await add_verified(house, server)
    with CaseSystem() as system:
        made = await add(house, url=system.url())
        await call(house, made, "pause")
        await house.tell(bell())
        await server.has(2)
        await house.execute(
            "UPDATE delivery SET pending_since = datetime(pending_since, '-2 hours')"
        )
        await house.app.state.rounds["late"].look()

    assert [one["type"] for one in await house.deliveries(mail)] == [
        "alert.raised",
        "endpoint.challenge",
    ]


async def told_by_govuk(
    house: House, there: Govuk, says: str, channel: str = "text", address: str = PHONE
) -> dict[str, Any]:
    """Send a challenge, then ask what became of it: that it says."""
    made = await add(house, channel=channel, address=address)
    await call(house, made, "challenge")
    await come_to(house, made, "delivered")
    there.statuses[address] = says
    await house.execute("UPDATE delivery SET delivered_at = datetime(delivered_at, '-40 seconds')")
    govuk = GovukNotify(house.app.state.settings, "text")
    await house.app.state.receipts.look(govuk)
    await govuk.close()
    return made


@pytest.mark.parametrize("says", ["delivered", "sent", "sending", "created"])
async def test_what_govuk_notify_has_in_hand_or_has_delivered_stays_delivered(
    govuk: tuple[House, Govuk], says: str
) -> None:
    house, there = govuk
    made = await told_by_govuk(house, there, says)

    assert [one["state"] for one in await house.deliveries(made)] == ["delivered"]


async def test_an_address_that_govuk_notify_finds_nobody_at_ends_its_endpoint(
    govuk: tuple[House, Govuk],
) -> None:
    house, there = govuk
    made = await told_by_govuk(house, there, "permanent-failure", "email", SAM)

    (dead,) = await house.deliveries(made)
    assert (dead["state"], dead["delivered_at"]) == ("dead", None)
    assert dead["last_outcome"] == "GOV.UK Notify says permanent-failure"
    assert (await house.get(f"/v1/endpoints/{made['id']}"))["disabled_at"]


async def lose_a_text(house: House, there: Govuk) -> None:
    """Tell of a bell by a text, of which it is to be heard that it never came."""
    made = await add(house, channel="text", address=PHONE)
    await house.execute("UPDATE endpoint SET verified_at = datetime('now')")
    await house.tell(bell())
    await come_to(house, made, "delivered")
    there.statuses[PHONE] = "permanent-failure"
    await house.execute("UPDATE delivery SET delivered_at = datetime('now', '-40 seconds')")


async def test_an_alert_that_never_came_by_text_is_told_elsewhere(
    govuk: tuple[House, Govuk],
) -> None:
    house, there = govuk
    with CaseSystem() as agencys:
        await add(house, agency="care", url=agencys.url())
        await lose_a_text(house, there)
        asking = GovukNotify(house.app.state.settings, "text")
        await house.app.state.receipts.look(asking)
        await asking.close()
        notice = json.loads((await agencys.has(2))[1].body)

    assert notice["type"] == "delivery.failed"


def told_undelivered() -> float:
    return REGISTRY.get_sample_value("firstbell_undelivered_total", {"service": "notify"}) or 0


async def test_two_that_hear_at_once_that_a_text_never_came_tell_of_it_once(
    govuk: tuple[House, Govuk],
) -> None:
    house, there = govuk
    await lose_a_text(house, there)
    state, before = house.app.state, told_undelivered()
    asking = GovukNotify(state.settings, "text")
    beside = Receipts(state.settings, state.database, lambda: None)
    await asyncio.gather(state.receipts.look(asking), beside.look(asking))
    await asking.close()

    assert told_undelivered() == before + 1


async def test_what_govuk_notify_could_not_deliver_is_sent_again(
    govuk: tuple[House, Govuk],
) -> None:
    house, there = govuk
    made = await told_by_govuk(house, there, "technical-failure")
    first, again = await there.has(2)

    assert first["reference"] == again["reference"]
    assert (await come_to(house, made, "delivered"))["attempts"] == 2
