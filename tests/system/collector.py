"""A collector of traces over a real socket: OTLP over HTTP, as services export it."""

import gzip
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.listening import HttpServer, QuietHandler


class Span(NamedTuple):
    """What a service told of one step."""

    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    links: list[bytes]
    attributes: dict[str, str]


class Collector(HttpServer):
    """Keeps every span that it is sent, and each body as it came."""

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.spans: list[Span] = []
        self.raw = b""

    def traces_of(self, name: str) -> list[list[Span]]:
        """Each trace with a span of this name in it."""
        ids = {span.trace for span in self.spans if span.name == name}
        return [[span for span in self.spans if span.trace == trace] for trace in ids]

    def take(self, raw: bytes) -> None:
        self.raw += raw
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            service = _text(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(service, span) for span in scope.spans]


def _span(service: str, raw: Any) -> Span:
    links = [link.trace_id for link in raw.links]
    told = _text(raw.attributes)
    return Span(service, raw.name, raw.trace_id, raw.span_id, raw.parent_span_id, links, told)


def _text(attributes: Any) -> dict[str, str]:
    return {pair.key: str(pair.value.string_value) for pair in attributes}


def _handler(collector: Collector) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.body()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.answer(200, answer, content_type="application/x-protobuf")

    return Handler
