"""From a request's id the logs lead to its register, its bells, and what was told of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.system.receiver import Receiver
from tests.system.stack import ADA, REGISTER, URN, Stack, embedded, people, wait_for


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    running = embedded(tmp_path)
    try:
        running.wait_ready("ingest", "risk", "notify")
        yield running
    finally:
        running.stop()


def lines(stack: Stack, event: str, **where: str) -> list[dict[str, Any]]:
    raw = (stack.data / "up.out").read_text().splitlines()
    told = [json.loads(line) for line in raw if line.startswith("{")]
    return [one for one in told if one["event"] == event and where.items() <= one.items()]


def test_the_logs_lead_from_a_request_to_the_bell_that_it_rang(stack: Stack) -> None:
    request = str(uuid4())
    with Receiver() as receiver:
        people(stack, receiver)
        school = stack.client("ingest", "school", "--urn", URN)
        marks = {"marks": [{"upn": ADA, "code": "N"}]}
        answer = school.put(REGISTER, json=marks, headers={"X-Request-Id": request})
        wait_for(lambda: receiver.received)

    (taken,) = lines(stack, "register taken", request=request)
    (rung,) = lines(stack, "bell changed", register=taken["register"])
    (decided,) = lines(stack, "decided", bell=rung["bell"])
    assert answer.headers["x-request-id"] == request
    assert taken["receipt"] == answer.json()["receipt"]
    assert (rung["kind"], rung["change"]) == ("unexplained-absence", "raised")
    sent = decided["deliveries"][0]
    (posted,) = wait_for(lambda: lines(stack, "message sent", delivery=sent))
    assert posted["outcome"] == "delivered"
    assert decided["deliveries"] == [receiver.received[0].webhook_id]
    (answered,) = lines(stack, "request answered", request=request)
    assert answered["route"].endswith("/schools/{urn}/registers/{date}/{session}")


def test_an_id_that_is_no_uuid_is_not_repeated(stack: Stack) -> None:
    school = stack.client("ingest", "school", "--urn", URN)

    answer = school.get(REGISTER, headers={"X-Request-Id": "Ada Example"})

    assert answer.headers["x-request-id"]
    assert "Ada Example" not in answer.headers["x-request-id"]
    assert "Ada Example" not in (stack.data / "up.out").read_text()
