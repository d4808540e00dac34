"""One trace shows a register's way from its PUT through all three services, over a real socket."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.system.collector import Collector, Span
from tests.system.receiver import Receiver
from tests.system.stack import (
    ADA,
    REGISTER,
    STACKS,
    URN,
    Stack,
    people,
    put,
    running,
    wait_for,
)

DELIVERY = "firstbell.delivery"
PUT = "PUT /v1/schools/{urn}/registers/{date}/{session}"
WAY = [
    ("firstbell-ingest", PUT),
    ("firstbell-ingest", "publish firstbell.registers.v1"),
    ("firstbell-risk", "evaluate firstbell.registers.v1"),
    ("firstbell-risk", "publish firstbell.bells.v1"),
    ("firstbell-notify", "decide"),
    ("firstbell-notify", "deliver"),
]
"""What the trace of a register that rings a bell holds, in the order of cause."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, collector: Collector, tmp_path: Path) -> Iterator[Stack]:
    class Traced(Stack):
        def __init__(self, data: Path) -> None:
            super().__init__(data)
            self.env["FIRSTBELL_TRACE_ENDPOINT"] = collector.url()

    with running(request.param, tmp_path, Traced) as made:
        yield made


def test_one_trace_follows_a_register_through_all_three_services(
    stack: Stack, collector: Collector
) -> None:
    with Receiver() as receiver:
        people(stack, receiver)

        school = stack.client("ingest", "school", "--urn", URN)
        for code in "/N":  # a change, whatever an earlier run has left in these databases
            put(school, REGISTER, {"marks": [{"upn": ADA, "code": code}]})
        wait_for(lambda: receiver.received)

        def whole() -> dict[str, Span]:
            # Where earlier runs have left endpoints, the trace leads to these too.
            ours = {one.webhook_id for one in receiver.received}
            for spans in collector.traces_of(PUT):
                named = {s.name: s for s in spans if s.attributes.get(DELIVERY, "") in {"", *ours}}
                if told(named.values()) >= set(WAY):
                    return named
            return {}

        spans = wait_for(whole, 90)
        put(school, REGISTER, {"marks": [{"upn": ADA, "code": "/"}]})
        taken = [span for span in collector.spans if span.name == "risk takes"]

    named = [spans[name] for _, name in WAY]
    put_, published, evaluated, bell, decided, delivered = named
    assert [published.parent, evaluated.parent] == [put_.id, put_.id]
    assert [bell.parent, decided.parent] == [evaluated.id, evaluated.id]
    assert delivered.parent == decided.id
    assert delivered.attributes[DELIVERY] in {one.webhook_id for one in receiver.received}
    assert any(put_.trace in span.links for span in taken)
    assert decided.attributes["firstbell.kind"] == "unexplained-absence"
    assert put_.attributes["url.path"] == "(left out)"
    assert not [word for word in (ADA, "Ada", "LCS-81", "Worker") if word.encode() in collector.raw]
    assert not any("traceparent" in one.headers for one in receiver.received)


def told(spans: Iterable[Span]) -> set[tuple[str, str]]:
    return {(span.service, span.name) for span in spans}
