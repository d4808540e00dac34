"""Traces: one register's way through the services, as OpenTelemetry spans.

Off, unless the settings name a collector or a file. A span bears ids, kinds and counts: never a UPN
or a name, nor an address with one in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.common.settings import ServiceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TRACEPARENT = "traceparent"
"""The header, of a request and of a record, that says which trace it belongs to.

Source: W3C Trace Context, 3.2.
"""

_W3C = TraceContextTextMapPropagator()

Headers = Mapping[str, str]


def headers() -> dict[str, str]:
    """Return the header that lets somebody else's span go on from here; none without a trace."""
    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    # Not `tracestate`: it is the caller's, and may hold anything.
    return {TRACEPARENT: carrier[TRACEPARENT]}


def context_of(carrier: Headers) -> Context:
    """Return the context that a record's or a row's headers name; an empty one if they do not."""
    return _W3C.extract({TRACEPARENT: carrier.get(TRACEPARENT, "")}, Context())


class _Taken(NamedTuple):
    """What a consumer has in hand: whence each event came, by its id, and the batch's own span."""

    tracer: trace.Tracer
    origins: Mapping[str, Headers]
    batch: trace.Link


_taken: ContextVar[_Taken | None] = ContextVar("firstbell_taken", default=None)


def step(name: str, event_id: UUID, **attributes: Any) -> AbstractContextManager[Any]:
    """Open the span of what is done about one event, in the trace of what caused the event.

    Args:
        attributes: never of a person.
    """
    taken = _taken.get()
    if taken is None:
        return nullcontext()
    origin = taken.origins.get(str(event_id), {})
    told = {f"firstbell.{key}": value for key, value in attributes.items() if value is not None}
    return taken.tracer.start_as_current_span(
        name,
        context_of(origin),
        trace.SpanKind.CONSUMER,
        {"firstbell.event": str(event_id), **told},
        [taken.batch],
        record_exception=False,  # an error's words may tell of a pupil
    )


class Traces:
    """One service's tracer, and where its spans go."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider
        self.tracer: trace.Tracer = (self._provider or trace.NoOpTracerProvider()).get_tracer(
            "firstbell"
        )

    @property
    def is_on(self) -> bool:
        """Whether spans are kept at all."""
        return self._provider is not None

    @property
    def of_requests(self) -> TelemetryConfig:
        """What FastAPI does: a span a request, if anything; no logs, which tell of values."""
        return {
            "tracing": self.is_on,
            "tracer_provider": self._provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope["path"].endswith(("/healthz", "/readyz", "/metrics")),
        }

    @contextmanager
    def taking(self, group: str, origins: Sequence[Headers]) -> Iterator[None]:
        """Open the span of one transaction over several events; `step` then opens each one's.

        Args:
            origins: the events' headers: the batch's span is linked to what caused each.
        """
        if not self.is_on:
            yield
            return
        links = [trace.Link(here) for here in map(_span_context, origins) if here.is_valid]
        count = {"messaging.batch.message_count": len(origins)}
        kind = trace.SpanKind.CONSUMER
        with self.tracer.start_as_current_span(
            f"{group} takes", Context(), kind, count, links, record_exception=False
        ) as span:
            by_id = {origin.get("ce_id", ""): origin for origin in origins}
            before = _taken.set(_Taken(self.tracer, by_id, trace.Link(span.get_span_context())))
            try:
                yield
            finally:
                _taken.reset(before)

    def told(self, name: str, carrier: Headers, start_ns: int, **attributes: Any) -> None:
        """Note a span that began at `start_ns` (epoch) and ends now, in the trace of `carrier`."""
        if self.is_on and carrier.get(TRACEPARENT):
            told = {f"firstbell.{key}": value for key, value in attributes.items()}
            kind = trace.SpanKind.PRODUCER
            self.tracer.start_span(name, context_of(carrier), kind, told, (), start_ns).end()

    def close(self) -> None:
        """Send what is left; a collector that is away costs a few seconds and no more."""
        if self._provider is not None:
            self._provider.shutdown()


OFF = Traces()
OFF_OF_REQUESTS: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip
"""For an app that only holds others: each of them traces its own requests."""


def _span_context(carrier: Headers) -> trace.SpanContext:
    return trace.get_current_span(context_of(carrier)).get_span_context()


def traces_of(service: str, settings: ServiceSettings) -> Traces:
    """Return a service's traces as the settings have them: off, unless they name a place."""
    if settings.trace_endpoint is None and settings.trace_file is None:
        return OFF
    from libs.common.trace_export import provider_of  # loads the SDK: only who needs it

    return Traces(provider_of(service, settings))
