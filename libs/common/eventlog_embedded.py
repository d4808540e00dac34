"""The embedded event log: one SQLite file, for a laptop, a demo and most tests."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from weakref import WeakValueDictionary

from sqlalchemy import LargeBinary, String, delete, exists, func, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

from libs.common.database import Database, upsert
from libs.common.eventlog import LogUnavailable, Message, Positions, Record, TopicPartition
from libs.common.events import COMPACTED, DEAD_LETTERS, FEED

BATCH_RECORDS_MAX = 500
POLL_S = 0.25


class _Log(DeclarativeBase):
    pass


class LogRecord(_Log):
    """One record; its offset counts over all topics, so a topic's offsets have gaps."""

    __tablename__ = "record"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    offset: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(String(100), index=True)
    key: Mapped[str | None]
    headers: Mapped[str]
    value: Mapped[bytes] = mapped_column(LargeBinary)


class LogPosition(_Log):
    """How far a group has handled a topic."""

    __tablename__ = "position"

    group: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    next_offset: Mapped[int]


class _Doorbell:
    """Wakes everybody in this process who waits for one file's records."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def waiter(self) -> asyncio.Event:
        return self._rung

    def ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()


_DOORBELLS: WeakValueDictionary[Path, _Doorbell] = WeakValueDictionary()


class EmbeddedEventLog:
    """Every topic has one partition, 0. Readers in this process wake at once, others poll."""

    def __init__(self, path: Path) -> None:
        self._database = Database(f"sqlite+aiosqlite:///{path}", "log")
        self._doorbell = _DOORBELLS.setdefault(path.resolve(), _Doorbell())

    async def start(self) -> None:
        """Make the file and its tables."""
        async with self._database.transaction() as db:
            await db.run_sync(_Log.metadata.create_all)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def make(self, topic: str) -> None:
        """Nothing is to be made: topics are names."""

    async def publish(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Append in one transaction."""
        try:
            async with self._database.transaction() as db:
                places = [(0, offset) for offset in await _append(db, messages)]
        except OperationalError as error:
            raise LogUnavailable(str(error.orig)) from error
        self._doorbell.ring()
        return places

    async def subscribe(
        self, group: str, topics: Sequence[str], positions: Positions
    ) -> AsyncGenerator[list[Record], None]:
        """Yield each topic's new records, the first topics first."""
        start = await positions([(topic, 0) for topic in topics])
        following = {topic: start[topic, 0] for topic in topics}
        while True:
            published = self._doorbell.waiter()
            batch = await self._after(following)
            if not batch:
                await _wait(published, POLL_S)
                continue
            yield batch
            for record in batch:
                following[record.topic] = record.offset + 1
            await self._keep(group, {record.topic: following[record.topic] for record in batch})

    async def handled(self, group: str, topic: str, partition: int) -> int:
        """Return what the group last said, by asking for more."""
        where = (LogPosition.group == group) & (LogPosition.topic == topic)
        async with self._database.reading() as db:
            return await db.scalar(select(LogPosition.next_offset).where(where)) or 0

    async def erase_before(self, instant: datetime) -> int:
        """Erase by the time in each record's headers: what every group that reads it has handled.

        A record without a time, and a topic that nobody reads, stay; dead letters, which the
        service that put them aside keeps as well, and feeds, which others read, go by their time
        alone.
        """
        later = aliased(LogRecord)
        handled = (
            select(func.min(LogPosition.next_offset))
            .where(LogPosition.topic == LogRecord.topic)
            .scalar_subquery()
        )
        superseded = exists().where(
            later.topic == LogRecord.topic,
            later.key == LogRecord.key,
            later.offset > LogRecord.offset,
        )
        over = delete(LogRecord).where(
            (LogRecord.offset < handled)
            | LogRecord.topic.endswith(DEAD_LETTERS)
            | LogRecord.topic.startswith(FEED),
            func.datetime(func.json_extract(LogRecord.headers, "$.ce_time"))
            < func.datetime(instant.isoformat()),
            LogRecord.topic.not_in(COMPACTED) | superseded,
        )
        async with self._database.transaction() as db:
            return (await db.execute(over)).rowcount

    async def waiting(self, following: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Count each topic's records from these offsets on."""
        found = {}
        async with self._database.reading() as db:
            for (topic, _), offset in following.items():
                where = (LogRecord.topic == topic) & (LogRecord.offset >= offset)
                found[topic] = await db.scalar(select(func.count()).where(where)) or 0
        return found

    async def _after(self, following: dict[str, int]) -> list[Record]:
        found: list[Record] = []
        async with self._database.reading() as db:
            for topic, offset in following.items():
                rows = await db.execute(
                    select(LogRecord.__table__)
                    .where(LogRecord.topic == topic, LogRecord.offset >= offset)
                    .order_by(LogRecord.offset)
                    .limit(BATCH_RECORDS_MAX - len(found))
                )
                found += [
                    Record(r.topic, 0, r.offset, r.key, r.value, json.loads(r.headers))
                    for r in rows
                ]
        return found

    async def _keep(self, group: str, following: dict[str, int]) -> None:
        rows = [{"group": group, "topic": t, "next_offset": o} for t, o in following.items()]
        async with self._database.transaction() as db:
            await upsert(db, LogPosition, rows)


async def _append(db: AsyncConnection, messages: Sequence[Message]) -> list[int]:
    rows = [
        {
            "topic": message.topic,
            "key": message.key,
            "headers": json.dumps(dict(message.headers)),
            "value": message.value,
        }
        for message in messages
    ]
    statement = insert(LogRecord).returning(LogRecord.offset, sort_by_parameter_order=True)
    return list(await db.scalars(statement, rows)) if rows else []


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
