"""The outbox: published if, and only if, its cause was committed; in order; never lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from libs.common import outbox
from libs.common.database import Database
from libs.common.event_records import event_of
from libs.common.eventlog import LogUnavailable, Message, Record
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.events import REGISTERS, Event, RegisterTaken
from libs.common.outbox import OutboxEvent, Relay
from libs.common.school_day import Session, utc_now
from tests.conftest import until
from tests.unit import databases


def taken(revision: int) -> RegisterTaken:
    return RegisterTaken(
        occurred_at=datetime(2026, 9, 14, 8, 50, tzinfo=UTC),
        urn="100000",
        day=date(2026, 9, 14),
        session=Session.am,
        group=None,
        revision=revision,
        upns=["B801200005001"],
        codes=["N"],
    )


@pytest.fixture(params=databases.BOTH)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with databases.fresh(request.param, tmp_path) as made:
        yield made


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EmbeddedEventLog]:
    made = EmbeddedEventLog(tmp_path / "log.db")
    yield made
    await made.close()


async def store(database: Database, *events: Event) -> None:
    async with database.transaction() as db:
        await outbox.append(db, "test", events)


async def store_and_fail(database: Database) -> None:
    async with database.transaction() as db:
        await outbox.append(db, "test", [taken(1)])
        raise ZeroDivisionError


async def backlog(database: Database) -> outbox.Backlog:
    async with database.reading() as db:
        return await outbox.backlog(db)


async def published(log: EmbeddedEventLog) -> list[Record]:
    async def from_the_start(places: object) -> dict[tuple[str, int], int]:
        return {(REGISTERS, 0): 0}

    found: list[Record] = []
    waiting = (await log.waiting({(REGISTERS, 0): 0}))[REGISTERS]
    batches = log.subscribe("test", [REGISTERS], from_the_start)
    while len(found) < waiting:
        found += await anext(batches)
    await batches.aclose()
    return found


def revisions(records: list[Record]) -> list[int]:
    events = [event_of(record) for record in records]
    return [event.revision for event in events if isinstance(event, RegisterTaken)]


async def test_an_event_whose_cause_is_rolled_back_is_never_published(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    with pytest.raises(ZeroDivisionError):
        await store_and_fail(database)
    await store(database, taken(2))

    assert await Relay(database, log).publish_some() == 1
    assert revisions(await published(log)) == [2]


async def test_an_event_is_a_cloud_event_with_its_cause_for_an_id(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    await store(database, taken(1))

    await Relay(database, log).publish_some()

    (record,) = await published(log)
    assert record.key == "100000"
    assert dict(record.headers) == {
        "ce_specversion": "1.0",
        "ce_id": str(taken(1).id),
        "ce_type": "uk.firstbell.register.taken",
        "ce_source": "/firstbell/test",
        "ce_time": "2026-09-14T08:50:00+00:00",
        "content-type": "application/json",
    }
    assert event_of(record) == taken(1)


async def test_while_the_log_is_away_events_wait_and_then_flow_in_order(
    database: Database, log: EmbeddedEventLog
) -> None:
    relay = Relay(database, log)  # the log is not started: it has no file to write to
    for revision in range(1, 4):
        await store(database, taken(revision))
        with pytest.raises(LogUnavailable):
            await relay.publish_some()
    assert (await backlog(database)).events == 3

    await log.start()

    assert await relay.publish_some() == 3
    assert revisions(await published(log)) == [1, 2, 3]
    assert await backlog(database) == (0, None)


async def test_the_backlog_says_since_when_the_oldest_waits(database: Database) -> None:
    before = utc_now()
    await store(database, taken(1))
    between = utc_now()
    await store(database, taken(2))

    events, oldest_at = await backlog(database)

    assert events == 2
    assert oldest_at is not None
    assert before <= oldest_at <= between


async def test_published_but_not_marked_is_published_again_under_the_same_id(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    await store(database, taken(1))
    await Relay(database, log).publish_some()
    async with database.transaction() as db:  # as a crash before the mark would have left it
        await db.execute(update(OutboxEvent).values(published_at=None))

    await Relay(database, log).publish_some()

    first, again = await published(log)
    assert first.headers["ce_id"] == again.headers["ce_id"]


async def test_the_place_of_a_published_event_is_kept_beside_it(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    await log.publish([Message("another", "k", b"", {})])
    await store(database, taken(1), taken(2))

    await Relay(database, log).publish_some()

    async with database.reading() as db:
        columns = (OutboxEvent.partition, OutboxEvent.offset)
        rows = (await db.execute(select(*columns).order_by(OutboxEvent.id))).all()
    assert [tuple(row) for row in rows] == [(0, r.offset) for r in await published(log)]


async def test_a_running_relay_publishes_as_soon_as_it_is_woken(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    relay = Relay(database, log)
    running = asyncio.create_task(relay.run(poll_s=60))
    await asyncio.sleep(0.05)  # it has looked, and found nothing

    await store(database, *map(taken, range(1, 4)))
    relay.wake()

    async def all_are_out() -> bool:
        return (await backlog(database)).events == 0

    await until(all_are_out)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_published_event_is_let_go_of_after_a_week(
    database: Database, log: EmbeddedEventLog
) -> None:
    await log.start()
    await store(database, taken(1))
    await store(database, taken(2))
    await Relay(database, log).publish_some()
    old = utc_now() - outbox.KEPT - timedelta(hours=1)
    async with database.transaction() as db:
        first = select(func.min(OutboxEvent.id)).scalar_subquery()
        await db.execute(
            update(OutboxEvent).where(OutboxEvent.id == first).values(published_at=old)
        )
    await store(database, taken(3))

    await Relay(database, log).publish_some()

    async with database.reading() as db:
        kept = list(await db.scalars(select(OutboxEvent.event_id).order_by(OutboxEvent.id)))
    assert kept == [taken(2).id, taken(3).id]


@pytest.mark.postgres
async def test_two_relays_publish_in_order_and_nothing_twice(
    tmp_path: Path, log: EmbeddedEventLog
) -> None:
    await log.start()
    async with databases.fresh("postgres", tmp_path) as database:
        await store(database, *map(taken, range(1, 1201)))
        relays = [Relay(database, log) for _ in range(2)]

        counts = await asyncio.gather(*(r.publish_some() for r in relays * 2))

        assert sorted(counts) == [0, 200, 500, 500]
        assert revisions(await published(log)) == list(range(1, 1201))
