"""The outbox: events stored in the transaction of their cause, and the relay that sends them on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Index,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from libs.common import traces
from libs.common.database import Common, Database, Instant
from libs.common.event_records import message_of
from libs.common.eventlog import EventLog, Message
from libs.common.events import Event
from libs.common.school_day import utc_now
from libs.common.traces import OFF, Traces

BATCH_EVENTS_MAX = 500
KEPT = timedelta(days=7)
"""How long a published event stays, so that a receipt can say how far it has travelled."""


class OutboxEvent(Common):
    """An event that is to be published, or was."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_unpublished",
            "id",
            sqlite_where=text("published_at IS NULL"),
            postgresql_where=text("published_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    event_id: Mapped[UUID] = mapped_column(index=True)
    topic: Mapped[str]
    key: Mapped[str]
    headers: Mapped[str]
    value: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at: Mapped[datetime] = mapped_column(Instant)
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    partition: Mapped[int | None]
    offset: Mapped[int | None] = mapped_column(BigInteger)


async def append(db: AsyncConnection, source: str, events: Sequence[Event]) -> None:
    """Store events in the caller's transaction: they are published if, and only if, it commits.

    The present trace goes with them.
    """
    trace = traces.headers() if events else {}
    await append_messages(db, [(event.id, message_of(event, source, trace)) for event in events])


async def append_messages(db: AsyncConnection, messages: Sequence[tuple[UUID, Message]]) -> None:
    """Store records to be published as they are, e.g. dead letters."""
    if messages:
        now = utc_now()
        rows = [
            {
                "event_id": event_id,
                "topic": message.topic,
                "key": message.key,
                "headers": json.dumps(dict(message.headers)),
                "value": message.value,
                "stored_at": now,
            }
            for event_id, message in messages
        ]
        await db.execute(insert(OutboxEvent), rows)


class Backlog(NamedTuple):
    """How many events wait to be published, and since when the oldest has."""

    events: int
    oldest_at: datetime | None


async def backlog(db: AsyncConnection) -> Backlog:
    """Return what the relay has yet to publish."""
    unpublished = OutboxEvent.published_at.is_(None)
    events = await db.scalar(select(func.count()).where(unpublished))
    oldest = select(OutboxEvent.stored_at).where(unpublished).order_by(OutboxEvent.id).limit(1)
    return Backlog(events or 0, await db.scalar(oldest))


class Relay:
    """Publishes one service's outbox in order. Call `wake` after a commit: it looks at once."""

    def __init__(self, database: Database, log: EventLog, tracing: Traces = OFF) -> None:
        self._database = database
        self._log = log
        self._traces = tracing
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be something to publish."""
        self._woken.set()

    async def run(self, poll_s: float = 0.5) -> None:
        """Publish until cancelled. Another process's events are found by looking every `poll_s`."""
        while True:
            self._woken.clear()
            while await self.publish_some():
                pass
            try:
                async with asyncio.timeout(poll_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def publish_some(self) -> int:
        """Publish the oldest unpublished events; return how many.

        Published and not marked (a crash between the two) is published again: readers know an
        event by its id.

        Raises:
            LogUnavailable: the log is away; nothing is marked.
        """
        async with self._alone():
            async with self._database.reading() as db:
                rows = (await db.execute(_UNPUBLISHED)).all()
            if not rows:
                return 0
            messages = [Message(r.topic, r.key, r.value, json.loads(r.headers)) for r in rows]
            start_ns = time.time_ns()
            places = await self._log.publish(messages)
            for message in messages:
                self._traces.told(f"publish {message.topic}", message.headers, start_ns)
            await self._mark([row.id for row in rows], places)
            return len(rows)

    async def _mark(self, ids: list[int], places: list[tuple[int, int]]) -> None:
        now = utc_now()
        async with self._database.transaction() as db:
            rows = [
                {"row_id": row_id, "published_at": now, "partition": partition, "offset": offset}
                for row_id, (partition, offset) in zip(ids, places, strict=True)
            ]
            await db.execute(_MARKED, rows)
            await db.execute(delete(OutboxEvent).where(OutboxEvent.published_at < now - KEPT))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        # Two relays at once could publish one school's events out of order.
        if self._database.is_sqlite:
            yield
            return
        async with self._database.transaction() as db:
            await db.execute(
                text("SELECT pg_advisory_xact_lock(hashtext('relay '||current_schema()))")
            )
            yield


_TABLE = inspect(OutboxEvent).local_table
_MARKED = (
    update(cast("Table", _TABLE))
    .where(_TABLE.c.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in ("published_at", "partition", "offset")})
)
_UNPUBLISHED = (
    select(
        OutboxEvent.id, OutboxEvent.topic, OutboxEvent.key, OutboxEvent.value, OutboxEvent.headers
    )
    .where(OutboxEvent.published_at.is_(None))
    .order_by(OutboxEvent.id)
    .limit(BATCH_EVENTS_MAX)
)
