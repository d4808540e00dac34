"""Where spans go: to a collector, to a file, to standard error; and what is left out of them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from libs.common.settings import ServiceSettings

EXPORT_TIMEOUT_S = 2.0
"""A collector that is away holds up a service's end no longer."""
EXPORT_EVERY_MS = 1000
UNTOLD = "(left out)"
PLACES = ("url.path", "url.query")
"""Attributes of a request's span that may hold a child's number; `http.route` tells enough."""


class _WithoutPlaces(SpanProcessor):
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        for name in PLACES:
            if name in (span.attributes or {}):
                span.set_attribute(name, UNTOLD)


class _Lines(ConsoleSpanExporter):
    def __init__(self, file: Path) -> None:
        self._is_console = str(file) == "-"
        out = sys.stderr if self._is_console else file.open("a", encoding="utf-8")
        super().__init__(out=out, formatter=lambda span: span.to_json(None) + "\n")

    def shutdown(self) -> None:
        if not self._is_console:
            self.out.close()


def provider_of(service: str, settings: ServiceSettings) -> TracerProvider:
    """Return what keeps a service's spans, and sends them to where the settings say.

    Sampling is decided by the trace's id alone: every service with the same share keeps the same.
    """
    provider = TracerProvider(
        TraceIdRatioBased(settings.trace_share),
        Resource.create({"service.namespace": "firstbell", "service.name": f"firstbell-{service}"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(_WithoutPlaces())
    for exporter in _exporters(settings):
        batches = BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_MS)
        provider.add_span_processor(batches)
    return provider


def _exporters(settings: ServiceSettings) -> Iterator[SpanExporter]:
    if settings.trace_endpoint is not None:
        address = f"{settings.trace_endpoint.rstrip('/')}/v1/traces"
        yield OTLPSpanExporter(address, timeout=EXPORT_TIMEOUT_S)
    if settings.trace_file is not None:
        yield _Lines(settings.trace_file)
