"""What every service's app has: health, readiness, metrics, docs, problems, background work."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from email.message import Message as Headers
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import structlog
from fastapi import FastAPI, Query, Request
from fastapi_offline import FastAPIOffline
from prometheus_client import Counter, Gauge
from pydantic import BaseModel

from libs.common import operation, tenants
from libs.common.auth import Verifier
from libs.common.body_limit import BodyLimit
from libs.common.database import Database
from libs.common.eventlog import EventLog
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.eventlog_kafka import KafkaEventLog
from libs.common.head import HeadAsGet
from libs.common.problems import (
    InvalidRequest,
    UnsupportedEncoding,
    UnsupportedMediaType,
    add_problem_handlers,
    documented,
)
from libs.common.rates import Buckets
from libs.common.request_ids import RequestIds
from libs.common.settings import ServiceSettings
from libs.common.tls import kafka_options
from libs.common.traces import traces_of

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]
IsStuck = Callable[[], Awaitable[bool]]
Item = TypeVar("Item")

RESTARTS = Counter(
    "firstbell_work_restarts_total", "Background work that failed", ["service", "work"]
)
LATER_S = 5.0
"""A service that has just started has better things to do than to look for what is overdue."""
WORKING = Gauge("firstbell_work_running", "Background work that is running", ["service", "work"])


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is the cursor of the part after it, or null."""

    items: list[Item]
    next: str | None = None


Limit = Annotated[int, Query(ge=1, le=500, description="Most items to return.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the part before.")]


def cursor_of(*key: Any) -> str:
    """Return the cursor that stands after the item with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def after(cursor: str | None, types: Any) -> Any:
    """Read a cursor as a tuple of these types; None stays None.

    Raises:
        InvalidRequest: it is none of ours.
    """
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=types)
        if not all(map(_is_storable, key)):
            raise ValueError
        return key
    except (ValueError, msgspec.MsgspecError):
        detail = "Use a cursor as it stood in `next`, or none for the first part."
        raise InvalidRequest(
            detail, errors=[{"at": ["query", "cursor"], "why": "unknown"}]
        ) from None


def _is_storable(part: Any) -> bool:
    # What no database holds cannot have come from one: it must not get to the driver.
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    if isinstance(part, datetime):
        return part.tzinfo is not None and 1 < part.year < 9999
    return not (isinstance(part, str) and "\0" in part)


async def json_only(request: Request) -> None:
    """Refuse a body that is not JSON, or not plain UTF-8.

    Raises:
        UnsupportedMediaType: with what is taken.
    """
    if request.method in {"PUT", "POST", "PATCH"}:
        must_be(request, "application/json")


def must_be(request: Request, kind: str) -> None:
    """Refuse a body of another content type, in another character set, or compressed.

    Raises:
        UnsupportedMediaType: with what is taken.
    """
    headers = Headers()
    headers["content-type"] = request.headers.get("content-type", "")
    if headers.get_content_type() != kind:
        raise UnsupportedMediaType(f"Send the body as {kind}.")
    if str(headers.get_param("charset", "utf-8")).lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType(f"Send the body as {kind} in UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedEncoding("Send the body as it is, without a Content-Encoding.")


def event_log(settings: ServiceSettings) -> EventLog:
    """Return the log that the settings name: Kafka, or the embedded one."""
    if settings.kafka_servers:
        return KafkaEventLog(
            settings.kafka_servers,
            settings.kafka_replication,
            timedelta(days=settings.retain_events_days),
            kafka_options(settings),
            settings.instance,
        )
    return EmbeddedEventLog(settings.data_dir / "log.db")


class Running:
    """A service's background work, each piece started again with backoff when it fails."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._tasks: list[asyncio.Task[None]] = []
        self._stuck: dict[str, IsStuck] = {}
        self.failing: set[str] = set()

    def start(self, name: str, work: Work, is_stuck: IsStuck | None = None) -> None:
        """Run `work` until `stop`; `is_stuck` says whether it runs and yet gets nowhere."""
        if is_stuck is not None:
            self._stuck[name] = is_stuck
        self._begin(name, self._supervise(name, work))

    def start_later(self, name: str, work: Work) -> None:
        """Run `work` as `start` does, once that for which people wait has begun."""

        async def later() -> None:
            await asyncio.sleep(LATER_S)
            await self._supervise(name, work)

        self._begin(name, later())

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def stuck(self) -> list[str]:
        """Return the names of what runs and gets nowhere."""
        return [name for name, is_stuck in self._stuck.items() if await is_stuck()]

    async def stop(self) -> None:
        """Cancel everything and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _supervise(self, name: str, work: Work) -> None:
        tenants.act_for(tenants.EVERYTHING)
        delay_s = 0.1
        labels = {"service": self._service, "work": name}
        while True:
            started = asyncio.get_running_loop().time()
            try:
                with WORKING.labels(**labels).track_inprogress():
                    await work()
            except Exception as error:
                # Only the kind of error: its text may hold statements with pupils' data.
                log.warning("work failed", error=type(error).__name__, **labels)
                RESTARTS.labels(**labels).inc()
            self.failing.add(name)
            if asyncio.get_running_loop().time() - started > 30:
                delay_s = 0.1
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, 5.0)
            self.failing.discard(name)


def build(
    name: str,
    description: str,
    settings: ServiceSettings,
    run: Callable[[FastAPI, Running], Awaitable[None]],
    log_of: Callable[[ServiceSettings], EventLog] = event_log,
    measure: operation.Measure = operation.tell_nothing,
) -> FastAPI:
    """Build a service's app. Nothing is opened until its lifespan starts.

    `app.state` then has `settings`, `database`, `log`, `traces` and `verifier`; `run` sets up the
    rest and starts the service's background work; `measure` adds to `/metrics`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, app.state.traces.close)
            app.state.database = Database(settings.database_url, name)
            stack.push_async_callback(app.state.database.close)
            app.state.log = log_of(settings)
            await app.state.log.start()
            stack.push_async_callback(app.state.log.close)
            app.state.running = Running(name)
            stack.push_async_callback(app.state.running.stop)
            await run(app, app.state.running)
            yield

    traces = traces_of(name, settings)
    app = FastAPIOffline(
        title=f"Firstbell {name}",
        version="1",
        description=description,
        lifespan=lifespan,
        responses=documented(),
        redirect_slashes=False,
        telemetry=traces.of_requests,
    )
    app.state.traces = traces
    app.state.measure = measure
    app.state.settings = settings
    app.state.verifier = Verifier(settings)
    app.state.clients = Buckets(settings.client_calls_per_s, settings.client_calls_at_once)
    add_problem_handlers(app)
    app.add_middleware(BodyLimit, bytes_max=settings.request_bytes_max)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestIds)
    operation.add_routes(app, name)
    return app
