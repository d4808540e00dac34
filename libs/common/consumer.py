"""Consumers: offsets, events seen and effects in one transaction, and dead letters put aside."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Gauge
from sqlalchemy import (
    BigInteger,
    Index,
    Integer,
    LargeBinary,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from libs.common import outbox
from libs.common.database import Common, Database, Instant, add_missing, is_away, is_deadlock
from libs.common.event_records import Unreadable, event_of
from libs.common.eventlog import EventLog, LogUnavailable, Message, Record, TopicPartition
from libs.common.events import DEAD_LETTERS, Event
from libs.common.identifiers import id_of
from libs.common.school_day import utc_now
from libs.common.traces import OFF, Traces

log = structlog.get_logger()

Handle = Callable[[AsyncConnection, Sequence[Any]], Awaitable[None]]
"""Takes events in order and makes their effects in the given transaction."""


LOG_ANSWERS_WITHIN_S = 3.0
READING = Gauge("firstbell_consumer_partitions", "Partitions that this process reads", ["service"])


class ConsumerOffset(Common):
    """The next offset that a group reads in a partition."""

    __tablename__ = "consumer_offset"

    group: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next_offset: Mapped[int] = mapped_column(BigInteger)


class ConsumedEvent(Common):
    """An event whose effects are in this database: published twice, it has none the second time."""

    __tablename__ = "consumed_event"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)


class DeadLetter(Common):
    """A record that could not be handled, with the reason; kept until it is replayed."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        Index(
            "ix_dead_letter_waiting",
            "id",
            sqlite_where=text("replayed_at IS NULL"),
            postgresql_where=text("replayed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    topic: Mapped[str]
    partition: Mapped[int]
    offset: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str | None]
    value: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    put_aside_at: Mapped[datetime] = mapped_column(Instant)
    replayed_at: Mapped[datetime | None] = mapped_column(Instant)


async def positions(db: AsyncConnection, group: str) -> dict[TopicPartition, int]:
    """Return the next offset of every partition that a group has come to read."""
    table = ConsumerOffset
    rows = await db.execute(
        select(table.topic, table.partition, table.next_offset).where(table.group == group)
    )
    return {(row.topic, row.partition): row.next_offset for row in rows}


async def dead_letters(db: AsyncConnection) -> int:
    """Return how many records were put aside and not yet replayed."""
    return await db.scalar(select(func.count()).where(DeadLetter.replayed_at.is_(None))) or 0


class Fenced(Exception):
    """Another worker has taken over this partition: nothing was done; join again."""


@dataclass
class Consumer:
    """One group's reading of some topics into one service's database.

    Args:
        topics: read in this order when several have records waiting.
        committed: called after each commit, e.g. to wake a relay.
        rolled_back: called when effects were undone, e.g. to drop what is held in memory.
        stuck_after_s: seconds without a commit, though records wait, after which it is stuck: far
            more than the largest batch takes.
    """

    log: EventLog
    database: Database
    group: str
    topics: Sequence[str]
    handle: Handle
    committed: Callable[[], None] = lambda: None
    rolled_back: Callable[[], None] = lambda: None
    stuck_after_s: float = 120.0
    traces: Traces = OFF
    _next: dict[TopicPartition, int] = field(default_factory=dict)
    _waits_since: float | None = None

    async def run(self) -> None:
        """Handle records until cancelled.

        A record that cannot be read, or that alone makes `handle` fail, is put aside: bad input
        never costs good input. When the database is away this ends with nothing committed, and the
        same records come again.

        Raises:
            Fenced: see there.
            DBAPIError: the database is away.
        """
        self._waits_since = None
        self._now_reads({})
        subscription = self.log.subscribe(self.group, self.topics, self._positions)
        async with aclosing(subscription) as batches:
            async for batch in batches:
                self._waits_since = self._waits_since or _now_s()
                await self._take_all(batch)

    async def is_stuck(self) -> bool:
        """Whether records have waited for `stuck_after_s` and none was handled meanwhile.

        A consumer in which a handler hangs, or that no longer fetches, is alive and does nothing.
        While the log is away it is not the consumer that is at fault.
        """
        if self._waits_since is None:
            try:
                async with asyncio.timeout(LOG_ANSWERS_WITHIN_S):
                    waiting = await self.log.waiting(self._next)
            except (LogUnavailable, TimeoutError):
                return False
            if any(waiting.values()) and self._waits_since is None:
                self._waits_since = _now_s()
        return self._waits_since is not None and _now_s() - self._waits_since > self.stuck_after_s

    async def _take_all(self, batch: Sequence[Record]) -> None:
        try:
            await self._take(batch, put_aside=False)
        except Exception as error:
            self.rolled_back()
            # Two workers whose batches are about the same schools may each wait for the other; one
            # record at a time they do not, and neither need leave the group for it.
            if not (_is_poison(error) or is_deadlock(error)):
                raise
            for record in batch:
                await self._take_alone(record)

    async def _take_alone(self, record: Record) -> None:
        try:
            await self._take([record], put_aside=False)
        except Exception as error:
            self.rolled_back()
            if not _is_poison(error):
                raise
            await self._take([record], put_aside=True, reason=type(error).__name__)

    async def _take(self, batch: Sequence[Record], put_aside: bool, reason: str = "") -> None:
        following = dict(self._next)
        async with self.database.transaction() as db:
            await self._advance(db, batch, following)
            if put_aside:
                await _put_aside(db, [(record, reason) for record in batch])
            else:
                good, bad = _read(batch)
                await _put_aside(db, bad)
                fresh = await _not_consumed(db, good)
                if fresh:
                    with self.traces.taking(self.group, [record.headers for record in batch]):
                        await self.handle(db, fresh)
        self._next = following
        self._waits_since = None
        self.committed()

    async def _positions(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        table = ConsumerOffset
        async with self.database.transaction() as db:
            known = await positions(db, self.group)
            missing = [
                {"group": self.group, "topic": topic, "partition": partition, "next_offset": 0}
                for topic, partition in places
                if (topic, partition) not in known
            ]
            await add_missing(db, table, missing)
        self._now_reads({place: known.get(place, 0) for place in places})
        return self._next

    def _now_reads(self, following: dict[TopicPartition, int]) -> None:
        self._next = following
        READING.labels(self.group).set(len(following))

    async def _advance(
        self, db: AsyncConnection, batch: Sequence[Record], following: dict[TopicPartition, int]
    ) -> None:
        for record in batch:
            following[record.topic, record.partition] = record.offset + 1
        table = ConsumerOffset
        for topic, partition in sorted({(r.topic, r.partition) for r in batch}):
            if (topic, partition) not in self._next:
                raise Fenced(f"{topic}/{partition} went elsewhere after it was fetched")
            moved = await db.execute(
                update(table)
                .where(
                    table.group == self.group,
                    table.topic == topic,
                    table.partition == partition,
                    table.next_offset == self._next[topic, partition],
                )
                .values(next_offset=following[topic, partition])
            )
            if moved.rowcount != 1:
                raise Fenced(f"{topic}/{partition} is handled elsewhere")


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _is_poison(error: Exception) -> bool:
    return not (isinstance(error, Fenced) or is_away(error))


def _read(batch: Sequence[Record]) -> tuple[list[Event], list[tuple[Record, str]]]:
    good: list[Event] = []
    bad: list[tuple[Record, str]] = []
    for record in batch:
        try:
            good.append(event_of(record))
        except Unreadable as fault:
            bad.append((record, str(fault)))
    return good, bad


async def _not_consumed(db: AsyncConnection, events: Sequence[Event]) -> list[Event]:
    by_id = {event.id: event for event in events}
    if not by_id:
        return []
    table = ConsumedEvent
    known = set(await db.scalars(select(table.event_id).where(table.event_id.in_(by_id))))
    fresh = {event_id: event for event_id, event in by_id.items() if event_id not in known}
    if fresh:
        await db.execute(insert(table), [{"event_id": event_id} for event_id in fresh])
    return list(fresh.values())


async def _put_aside(db: AsyncConnection, faults: Sequence[tuple[Record, str]]) -> None:
    for record, reason in faults:
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.error("dead letter", reason=reason, **place)
        await db.execute(
            insert(DeadLetter).values(
                key=record.key, value=record.value, reason=reason, put_aside_at=utc_now(), **place
            )
        )
        headers = {**record.headers, "firstbell_reason": reason}
        message = Message(record.topic + DEAD_LETTERS, record.key or "", record.value, headers)
        await outbox.append_messages(db, [(id_of("dead-letter", *place.values()), message)])
