"""The main story over real sockets: a register, a bell, a signed webhook, a correction.

It runs on `firstbell up` and, where Kafka and PostgreSQL are there, on the three services apart.
"""

import time
from collections.abc import Callable

from tests.system.receiver import Receiver
from tests.system.stack import ADA, REGISTER, URN, Stack, people, put, wait_for


def test_a_register_rings_a_bell_that_reaches_the_social_worker(
    stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    with Receiver() as receiver:
        people(stack, receiver)
        school = stack.client("ingest", "school", "--urn", URN)

        sent_at = time.monotonic()
        receipt = put(school, REGISTER, {"marks": [{"upn": ADA, "code": "N"}]}).json()
        wait_for(lambda: receiver.received)
        record_property("seconds to the webhook", round(time.monotonic() - sent_at, 3))
        assert (receipt["accepted"], receipt["rejected"]) == (1, [])
        raised = receiver.received[0]
        assert raised.verified
        assert raised.body["type"] == "alert.raised"
        assert raised.body["data"]["kind"] == "unexplained-absence"
        assert "LCS-81" in raised.text
        assert ADA not in raised.text

        again = put(school, REGISTER, {"marks": [{"upn": ADA, "code": "N"}]}).json()
        assert (again["accepted"], again["unchanged"]) == (0, 1)

        put(school, REGISTER, {"marks": [{"upn": ADA, "code": "I"}]})
        wait_for(lambda: len(receiver.received) > 1)
        assert [r.body["type"] for r in receiver.received] == ["alert.raised", "alert.withdrawn"]
        assert len({r.webhook_id for r in receiver.received}) == 2
        alerts = stack.client("notify", "practitioner", "--id", "sam").get("/notify/v1/alerts")
        assert [alert["kind"] for alert in alerts.json()["items"]] == ["unexplained-absence"]
        stranger = stack.client("notify", "practitioner", "--id", "eve")
        one = alerts.json()["items"][0]["id"]
        assert stranger.get(f"/notify/v1/alerts/{one}").status_code == 404
