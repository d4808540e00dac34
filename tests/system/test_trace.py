"""One trace shows a register's way from its PUT through all three services, over a real socket."""

from collections.abc import Iterator
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

        def whole() -> list[Span]:
            traces = [spans for spans in collector.traces_of(PUT) if told(spans) >= set(WAY)]
            return traces[0] if traces else []

        spans = {span.name: span for span in wait_for(whole, 90)}
        put(school, REGISTER, {"marks": [{"upn": ADA, "code": "/"}]})
        taken = [span for span in collector.spans if span.name == "risk takes"]

    named = [spans[name] for _, name in WAY]
    put_, published, evaluated, bell, decided, delivered = named
    assert [published.parent, evaluated.parent] == [put_.id, put_.id]
    assert [bell.parent, decided.parent] == [evaluated.id, evaluated.id]
    assert delivered.parent == decided.id
    # An earlier run's bell may have been withdrawn first, and told of too.
    assert delivered.attributes["firstbell.delivery"] in {r.webhook_id for r in receiver.received}
    assert any(put_.trace in span.links for span in taken)
    assert decided.attributes["firstbell.kind"] == "unexplained-absence"
    assert put_.attributes["url.path"] == "(left out)"
    assert not [word for word in (ADA, "Ada", "LCS-81", "Worker") if word.encode() in collector.raw]
    assert not any("traceparent" in one.headers for one in receiver.received)


def told(spans: list[Span]) -> set[tuple[str, str]]:
    return {(span.service, span.name) for span in spans}
