"""What operators see: alive, ready, and how far each service is behind."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from libs.common.consumer import Consumer
from libs.common.event_records import message_of
from libs.common.eventlog import Message
from libs.common.events import CALENDAR, REGISTERS
from libs.common.service import Running
from libs.common.settings import ServiceSettings
from services import up
from services.ingest.main import create_app as create_ingest
from services.risk.main import create_app as create_risk
from tests.conftest import serving, until
from tests.unit.test_consumer import taken

REGISTER = "/v1/schools/100000/registers/2026-09-14/am"
MARKS = {"marks": [{"upn": "B801200005001", "code": "N"}]}
Figures = dict[tuple[str, str, str], float]


async def figures(client: httpx.AsyncClient, path: str = "/metrics") -> Figures:
    """Return each of our gauges by name, service and topic."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return {
        (s.name.removeprefix("firstbell_"), s.labels["service"], s.labels.get("topic", "")): s.value
        for family in text_string_to_metric_families(answer.text)
        for s in family.samples
        # A counter goes on from the tests before this one, and tells since when as a gauge; so do
        # what runs and what is read in the process.
        if family.type == "gauge"
        and not s.name.endswith("_created")
        and s.name.startswith("firstbell_")
        and "work" not in s.labels
        and s.name != "firstbell_consumer_partitions"
    }


async def test_a_service_that_has_nothing_to_do_is_behind_in_nothing(
    settings: ServiceSettings,
) -> None:
    async with serving(create_risk(settings), "risk", settings=settings) as client:

        async def subscribed() -> bool:
            return ("log_up", "risk", "") in await figures(client)

        await until(subscribed)
        found = await figures(client)

        assert found["database_up", "risk", ""] == found["log_up", "risk", ""] == 1
        assert found["outbox_waiting_events", "risk", ""] == 0
        assert found["outbox_oldest_seconds", "risk", ""] == 0
        assert found["dead_letters", "risk", ""] == 0
        assert found["consumer_lag_records", "risk", REGISTERS] == 0


async def test_records_that_no_consumer_takes_are_its_lag(settings: ServiceSettings) -> None:
    app = create_risk(settings)
    async with serving(app, "risk", settings=settings) as client:

        async def lag(topic: str) -> float | None:
            return (await figures(client)).get(("consumer_lag_records", "risk", topic))

        async def subscribed() -> bool:
            return await lag(REGISTERS) is not None

        await until(subscribed)
        await app.state.running.stop()
        await app.state.log.publish([Message(CALENDAR, "k", b"", {})])
        await app.state.log.publish([Message(REGISTERS, "k", b"", {}) for _ in range(3)])

        assert (await lag(REGISTERS), await lag(CALENDAR)) == (3, 1)


async def test_a_record_put_aside_is_counted(settings: ServiceSettings) -> None:
    app = create_risk(settings)
    async with serving(app, "risk", settings=settings) as client:
        await app.state.log.publish([Message(REGISTERS, "k", b"?", {})])

        async def put_aside() -> bool:
            return (await figures(client))["dead_letters", "risk", ""] == 1

        await until(put_aside)


async def test_events_that_kafka_does_not_take_wait_and_are_counted(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    without = settings.model_copy(update={"kafka_servers": "127.0.0.1:1"})
    async with serving(create_ingest(without), "ingest", settings=settings) as client:
        sent = await client.put(REGISTER, json=MARKS, headers=token(scope="admin"))
        assert sent.status_code == 202

        found = await figures(client)

        assert found["outbox_waiting_events", "ingest", ""] == 1
        assert found["outbox_oldest_seconds", "ingest", ""] > 0


async def test_services_in_one_process_each_tell_their_own_figures_alone(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    app: FastAPI = up.create_app(settings)
    async with serving(app, *up.SERVICES, settings=settings) as client:
        for _ in range(2):
            for service in up.SERVICES:
                measured = await figures(client, f"/{service}/metrics")

                assert {of for _, of, _ in measured} == {service}
                assert ("outbox_waiting_events", service, "") in measured


async def test_metrics_are_told_without_a_database_too(settings: ServiceSettings) -> None:
    lost = settings.model_copy(update={"database_url": "sqlite+aiosqlite:////nowhere/x.db"})
    app = create_risk(lost)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://risk") as client,
    ):
        assert await figures(client) == {("database_up", "risk", ""): 0}


@pytest.mark.parametrize("service", up.SERVICES)
async def test_a_service_is_ready_when_its_work_runs(
    settings: ServiceSettings, service: str
) -> None:
    async with serving(up.SERVICES[service](settings), service, settings=settings) as client:
        ready = await client.get("/readyz")

        assert ready.json() == {"service": service, "status": "ready"}


async def test_a_service_whose_consumer_hangs_is_not_ready_though_it_is_alive(
    settings: ServiceSettings,
) -> None:
    app = create_risk(settings)
    reached = asyncio.Event()

    async def hang(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with serving(app, "risk", settings=settings) as client:
        await app.state.running.stop()
        running = app.state.running = Running("risk")
        consumer = Consumer(
            app.state.log, app.state.database, "risk", [REGISTERS], hang, stuck_after_s=0.05
        )
        running.start("consumer", consumer.run, consumer.is_stuck)
        await app.state.log.publish([message_of(taken(1), "ingest")])
        await reached.wait()

        async def is_red() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await until(is_red)

        assert "Stuck: consumer" in (await client.get("/readyz")).json()["detail"]
        assert (await client.get("/healthz")).is_success
        await running.stop()
