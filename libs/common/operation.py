"""What operators ask of a service: is it alive, is it ready, how far behind is it?"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import consumer, outbox, tenants
from libs.common.database import Database
from libs.common.eventlog import EventLog, LogUnavailable, TopicPartition
from libs.common.problems import Unavailable
from libs.common.school_day import utc_now

log = structlog.get_logger()

MEASURED_WITHIN_S = 3.0
"""How long a scrape waits for the database and for the log, each."""


def add_routes(app: FastAPI, name: str) -> None:
    """Add `/healthz`, `/readyz` and `/metrics` to a service's app."""

    @app.get("/healthz", tags=["operation"], summary="Is the process alive?", responses={})
    async def healthz() -> dict[str, str]:
        return {"service": name, "status": "ok"}

    @app.get("/readyz", tags=["operation"], summary="Can it do its work?")
    async def readyz(request: Request) -> dict[str, Any]:
        async with request.app.state.database.reading() as db:
            await db.execute(text("SELECT 1"))
        failing = sorted(request.app.state.running.failing)
        if failing:
            raise Unavailable(f"Not running: {', '.join(failing)}.")
        stuck = await request.app.state.running.stuck()
        if stuck:
            raise Unavailable(f"Stuck: {', '.join(stuck)}. Records wait and none is handled.")
        return {"service": name, "status": "ready"}

    @app.get("/metrics", tags=["operation"], summary="Prometheus metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        measured = await _measured(name, request.app.state)
        return Response(generate_latest() + measured, media_type=CONTENT_TYPE_LATEST)


class Figures(Collector):
    """One service's figures of this moment, in Prometheus' form."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._families: dict[str, GaugeMetricFamily] = {}

    def add(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Add a figure; the same name again, with other labels, is a further line."""
        family = self._family(name, meaning, *labels)
        family.add_metric([self._service, *labels.values()], value)

    def add_each(
        self, name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]
    ) -> None:
        """Add a figure for each value of a label; without any, its name alone is told."""
        family = self._family(name, meaning, label)
        for of, value in values:
            family.add_metric([self._service, of], value)

    def _family(self, name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
        made = GaugeMetricFamily(f"firstbell_{name}", meaning, labels=["service", *labels])
        return self._families.setdefault(name, made)

    def collect(self) -> Iterable[Metric]:
        """Return every figure."""
        return self._families.values()


Measure = Callable[[AsyncConnection, Figures], Awaitable[None]]
"""Adds what one service alone can tell of its work."""


async def tell_nothing(_: AsyncConnection, __: Figures) -> None:
    """Add nothing to what every service tells."""


async def _measured(name: str, state: Any) -> bytes:
    # Not gauges in the usual registry: services that share a process share that one, and each
    # would tell the others' figures as they stood when those were last asked.
    figures = Figures(name)
    # Who asks bears no token: what is told are counts over everybody's rows.
    with tenants.everything():
        following = await _measure_database(figures, state.database, name)
        if following is not None:
            await _measure_work(figures, state.database, state.measure)
    if following:
        await _measure_log(figures, state.log, following)
    registry = CollectorRegistry()
    registry.register(figures)
    return generate_latest(registry)


async def _measure_database(
    figures: Figures, database: Database, group: str
) -> Mapping[TopicPartition, int] | None:
    try:
        async with asyncio.timeout(MEASURED_WITHIN_S), database.reading() as db:
            backlog = await outbox.backlog(db)
            put_aside = await consumer.dead_letters(db)
            following = await consumer.positions(db, group)
    except (SQLAlchemyError, OSError) as error:
        log.warning("not measured: database", error=type(error).__name__)
        figures.add("database_up", "Whether the database answers", 0)
        return None
    age_s = (utc_now() - backlog.oldest_at).total_seconds() if backlog.oldest_at else 0.0
    figures.add("database_up", "Whether the database answers", 1)
    figures.add("outbox_waiting_events", "Events stored and not yet published", backlog.events)
    figures.add("outbox_oldest_seconds", "How long the oldest of them has waited", max(0.0, age_s))
    figures.add("dead_letters", "Records put aside and not yet replayed", put_aside)
    return following


async def _measure_work(figures: Figures, database: Database, measure: Measure) -> None:
    try:
        async with asyncio.timeout(MEASURED_WITHIN_S), database.reading() as db:
            await measure(db, figures)
    except (SQLAlchemyError, OSError) as error:
        log.warning("not measured: work", error=type(error).__name__)


async def _measure_log(
    figures: Figures, event_log: EventLog, following: Mapping[TopicPartition, int]
) -> None:
    try:
        async with asyncio.timeout(MEASURED_WITHIN_S):
            waiting = await event_log.waiting(following)
    except (LogUnavailable, SQLAlchemyError, OSError) as error:
        log.warning("not measured: event log", error=type(error).__name__)
        figures.add("log_up", "Whether the event log answers", 0)
        return
    figures.add("log_up", "Whether the event log answers", 1)
    for topic, records in waiting.items():
        figures.add("consumer_lag_records", "Records not yet handled", records, topic=topic)
