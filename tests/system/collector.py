"""A collector of traces over a real socket: OTLP over HTTP, as services export it."""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span(NamedTuple):
    """What a service told of one step."""

    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    links: list[bytes]
    attributes: dict[str, str]


class Collector:
    """Keeps every span that it is sent, and each body as it came."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

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

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _span(service: str, raw: Any) -> Span:
    links = [link.trace_id for link in raw.links]
    told = _text(raw.attributes)
    return Span(service, raw.name, raw.trace_id, raw.span_id, raw.parent_span_id, links, told)


def _text(attributes: Any) -> dict[str, str]:
    return {pair.key: str(pair.value.string_value) for pair in attributes}


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    return Handler
