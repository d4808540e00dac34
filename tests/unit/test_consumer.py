"""Consumers: once, whatever comes twice or dies; bad input is put aside, good input flows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import consumer as consuming
from libs.common.consumer import Consumer, DeadLetter, Fenced
from libs.common.database import Database
from libs.common.event_records import message_of
from libs.common.eventlog import Message
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.events import DEAD_LETTERS, INVOLVEMENTS, REGISTERS, RegisterTaken
from libs.common.outbox import OutboxEvent
from libs.common.school_day import Session
from tests.conftest import until
from tests.unit import databases

OWN = MetaData()
EFFECT = Table(
    "effect",
    OWN,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger),
    Column("said", String),
)


def taken(revision: int, group: str | None = None) -> RegisterTaken:
    return RegisterTaken(
        occurred_at=datetime(2026, 9, 14, 8, 50, tzinfo=UTC),
        urn="100000",
        day=date(2026, 9, 14),
        session=Session.am,
        group=group,
        revision=revision,
        upns=[],
        codes=[],
    )


class House:
    """A database, a log, and consumers between them whose effects can be counted."""

    def __init__(self, database: Database, log: EmbeddedEventLog) -> None:
        self.database, self.log = database, log
        self.forgot = 0

    def consumer(self, fails: Exception | None = None, revision: int = 0) -> Consumer:
        """Return a consumer that fails, if told so, after its effects of this revision."""

        async def handle(db: AsyncConnection, events: Sequence[RegisterTaken]) -> None:
            rows = [{"revision": e.revision, "said": e.group} for e in events]
            await db.execute(insert(EFFECT), rows)
            if fails is not None and revision in {e.revision for e in events}:
                raise fails

        return self.with_handler(handle)

    def with_handler(self, handle: consuming.Handle) -> Consumer:
        def forget() -> None:
            self.forgot += 1

        return Consumer(self.log, self.database, "test", [REGISTERS], handle, rolled_back=forget)

    async def publish(self, *events: RegisterTaken) -> int:
        """Publish, and return the offset after the last."""
        return (await self.log.publish([message_of(e, "test") for e in events]))[-1][1] + 1

    async def run(self, consumer: Consumer, handled: int) -> None:
        """Run until the group has said that it handled everything below this offset."""
        running = asyncio.create_task(consumer.run())

        async def done() -> bool:
            return running.done() or (await self.log.handled("test", REGISTERS, 0) >= handled)

        await until(done)
        running.cancel()
        for outcome in await asyncio.gather(running, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def effects(self) -> list[int]:
        async with self.database.reading() as db:
            return list(await db.scalars(select(EFFECT.c.revision).order_by(EFFECT.c.id)))

    async def dead(self) -> list[tuple[str, int, str]]:
        async with self.database.reading() as db:
            rows = await db.execute(select(DeadLetter.__table__).order_by(DeadLetter.id))
            return [(row.topic, row.offset, row.reason) for row in rows]


@pytest.fixture(params=databases.BOTH)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    log = EmbeddedEventLog(tmp_path / "log.db")
    await log.start()
    async with databases.fresh(request.param, tmp_path, OWN) as database:
        yield House(database, log)
    await log.close()


async def test_events_take_effect_in_order(house: House) -> None:
    end = await house.publish(*map(taken, (1, 2, 3)))

    await house.run(house.consumer(), end)

    assert await house.effects() == [1, 2, 3]


async def test_an_event_published_twice_takes_effect_once(house: House) -> None:
    end = await house.publish(taken(1), taken(1), taken(2))
    await house.run(house.consumer(), end)
    end = await house.publish(taken(2), taken(1), taken(3))

    await house.run(house.consumer(), end)

    assert await house.effects() == [1, 2, 3]
    assert await house.dead() == []


async def test_a_restarted_consumer_goes_on_where_its_effects_end(house: House) -> None:
    await house.run(house.consumer(), await house.publish(taken(1)))

    await house.run(house.consumer(), await house.publish(taken(2)))

    assert await house.effects() == [1, 2]
    async with house.database.reading() as db:
        following = await consuming.positions(db, "test")
    assert await house.log.waiting(following) == {REGISTERS: 0}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"not JSON", "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"x":' + b"[" * 5000, "not JSON"),
        (b'{"urn": 7}', "not a uk.firstbell.register.taken: wrong at "),
        (b"null", "not a uk.firstbell.register.taken: wrong at its top"),
    ],
)
async def test_an_unreadable_record_is_put_aside_and_the_next_ones_flow(
    house: House, value: bytes, reason: str
) -> None:
    await house.publish(taken(1))
    ((_, offset),) = await house.log.publish([Message(REGISTERS, "100000", value, {})])
    end = await house.publish(taken(2))

    await house.run(house.consumer(), end)

    assert await house.effects() == [1, 2]
    ((topic, at, why),) = await house.dead()
    assert (topic, at) == (REGISTERS, offset)
    assert why.startswith(reason)


async def test_a_dead_letter_keeps_the_record_and_goes_to_its_own_topic(house: House) -> None:
    raw = Message(REGISTERS, "100000", b"?", {"ce_id": "1"})
    ((_, offset),) = await house.log.publish([raw])

    await house.run(house.consumer(), offset + 1)

    async with house.database.reading() as db:
        letter = (await db.execute(select(DeadLetter.__table__))).one()
        sent = (await db.execute(select(OutboxEvent.__table__))).one()
        assert await consuming.dead_letters(db) == 1
    assert (letter.key, letter.value, letter.replayed_at) == ("100000", b"?", None)
    assert (sent.topic, sent.key, sent.value) == (REGISTERS + DEAD_LETTERS, "100000", b"?")
    assert '"firstbell_reason": "not JSON"' in sent.headers
    assert '"ce_id": "1"' in sent.headers


async def test_a_record_that_alone_cannot_be_handled_is_put_aside(house: House) -> None:
    end = await house.publish(*map(taken, (1, 2, 3)))

    await house.run(house.consumer(KeyError("a pupil's name"), revision=2), end)

    assert await house.effects() == [1, 3]
    assert [reason for _, _, reason in await house.dead()] == ["KeyError"]
    assert house.forgot == 2  # the batch, then the record alone


@pytest.mark.parametrize("bad", [taken(2, group="\0"), taken(2**70)])
async def test_a_record_that_the_database_refuses_is_put_aside(
    house: House, bad: RegisterTaken
) -> None:
    kept = house.database.is_sqlite and bad.group  # SQLite keeps a NUL
    end = await house.publish(taken(1), bad, taken(3))

    await house.run(house.consumer(), end)

    assert await house.effects() == ([1, 2, 3] if kept else [1, 3])
    assert len(await house.dead()) == (0 if kept else 1)


@pytest.mark.parametrize(
    "away", [OperationalError("", None, Exception()), PoolExhausted(), ConnectionResetError()]
)
async def test_a_database_that_is_away_costs_no_record(house: House, away: Exception) -> None:
    end = await house.publish(taken(1))
    with pytest.raises(type(away)):
        await house.run(house.consumer(away, revision=1), end)
    assert await house.effects() == []

    await house.run(house.consumer(), end)

    assert await house.effects() == [1]
    assert await house.dead() == []


class Deadlock(Exception):
    """What asyncpg raises when PostgreSQL ends one of two that wait for each other."""

    sqlstate = "40P01"


async def test_a_batch_that_met_a_deadlock_is_handled_a_record_at_a_time(house: House) -> None:
    end = await house.publish(*map(taken, (1, 2, 3)))

    async def handle(db: AsyncConnection, events: Sequence[RegisterTaken]) -> None:
        await db.execute(insert(EFFECT), [{"revision": event.revision} for event in events])
        if len(events) > 1:
            raise DBAPIError("", None, Deadlock())

    await house.run(house.with_handler(handle), end)

    assert await house.effects() == [1, 2, 3]
    assert await house.dead() == []
    assert house.forgot == 1


async def test_killed_between_effects_and_commit_it_takes_effect_once(house: House) -> None:
    end = await house.publish(taken(1))
    reached = asyncio.Event()

    async def die(db: AsyncConnection, events: Sequence[RegisterTaken]) -> None:
        await db.execute(insert(EFFECT), [{"revision": e.revision} for e in events])
        reached.set()
        await asyncio.Event().wait()

    doomed = asyncio.create_task(house.with_handler(die).run())
    await reached.wait()
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    assert await house.effects() == []

    await house.run(house.consumer(), end)

    assert await house.effects() == [1]


async def test_of_two_workers_on_one_partition_one_is_fenced_off(house: House) -> None:
    workers = [asyncio.create_task(house.consumer().run()) for _ in range(2)]
    try:
        await until(lambda: a_position_is_kept(house))

        await house.publish(taken(1))
        await until(lambda: asyncio.sleep(0, any(worker.done() for worker in workers)))

        (fenced,) = [worker for worker in workers if worker.done()]
        assert isinstance(fenced.exception(), Fenced)
        assert await house.effects() == [1]
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


class Rebalancing(EmbeddedEventLog):
    """Hands out a batch whose partition has just gone to another worker."""

    async def subscribe(self, group: str, topics: Any, positions: Any) -> AsyncGenerator[Any, None]:
        async for batch in super().subscribe(group, topics, positions):
            await positions([])
            yield batch


async def test_records_of_a_partition_that_went_elsewhere_have_no_effect_here(
    house: House, tmp_path: Path
) -> None:
    await house.publish(taken(1))
    log = Rebalancing(tmp_path / "log.db")

    with pytest.raises(Fenced):
        await replace(house.consumer(), log=log).run()

    await log.close()
    assert await house.effects() == []
    assert await house.dead() == []


async def a_position_is_kept(house: House) -> bool:
    async with house.database.reading() as db:
        return bool(await consuming.positions(db, "test"))


async def test_topics_are_read_in_the_order_in_which_they_are_named(house: House) -> None:
    seen: list[str] = []

    async def note(_: AsyncConnection, events: Sequence[RegisterTaken]) -> None:
        seen.extend(event.topic for event in events)

    raw = b'{"occurred_at":"2026-09-14T08:50:00Z","upn":"B801200005001","revision":1,'
    end = await house.publish(taken(1))
    await house.log.publish([Message(INVOLVEMENTS, "k", raw + b'"involvements":[]}', {})])
    consumer = house.with_handler(note)
    consumer.topics = (INVOLVEMENTS, REGISTERS)

    await house.run(consumer, end)

    assert seen == [INVOLVEMENTS, REGISTERS]


@pytest.mark.postgres
async def test_a_connection_cut_by_the_server_costs_no_record(tmp_path: Path) -> None:
    log = EmbeddedEventLog(tmp_path / "log.db")
    await log.start()
    async with databases.fresh("postgres", tmp_path, OWN) as database:
        house = House(database, log)
        end = await house.publish(taken(1))

        async def cut(db: AsyncConnection, _: Sequence[RegisterTaken]) -> None:
            await db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        with pytest.raises(Exception, match=r"connection|closed"):
            await house.run(house.with_handler(cut), end)
        await house.run(house.consumer(), end)

        assert await house.effects() == [1]
        assert await house.dead() == []
    await log.close()


async def test_a_consumer_whose_handler_hangs_is_stuck_until_it_goes_on(house: House) -> None:
    go_on, hung = asyncio.Event(), asyncio.Event()

    async def hang(_: AsyncConnection, __: Sequence[RegisterTaken]) -> None:
        hung.set()
        await go_on.wait()

    consumer = house.with_handler(hang)
    consumer.stuck_after_s = 0.05
    end = await house.publish(taken(1))
    running = asyncio.create_task(house.run(consumer, end))
    await hung.wait()

    await until(consumer.is_stuck)
    go_on.set()
    await running

    assert not await consumer.is_stuck()


async def test_a_consumer_that_has_nothing_to_read_is_not_stuck(house: House) -> None:
    consumer = house.consumer()
    consumer.stuck_after_s = 0.0
    await house.run(consumer, await house.publish(taken(1)))

    assert not await consumer.is_stuck()
