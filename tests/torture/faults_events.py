"""Faults to be planted in every service's relay and consumer."""

import json
from collections.abc import Sequence
from typing import Any

from libs.common import consumer, outbox
from libs.common.consumer import Consumer
from libs.common.eventlog import Message, Record
from libs.common.eventlog_kafka import KafkaEventLog
from libs.common.outbox import Relay
from tests.torture.planted import gap, replace


def marked_before_published() -> None:
    """The relay marks events as published before it has published them."""

    async def publish_some(self: Relay) -> int:
        async with self._alone():
            async with self._database.reading() as db:
                rows = (await db.execute(outbox._UNPUBLISHED)).all()
            if not rows:
                return 0
            await self._mark([row.id for row in rows], [(0, 0)] * len(rows))
            await gap()
            await self._log.publish(
                [Message(r.topic, r.key, r.value, json.loads(r.headers)) for r in rows]
            )
            return len(rows)

    replace(Relay, "publish_some", publish_some)


def offsets_first() -> None:
    """A consumer commits its offsets before the effects of what it has read."""

    async def take(
        self: Consumer, batch: Sequence[Record], put_aside: bool, reason: str = ""
    ) -> None:
        following = dict(self._next)
        async with self.database.transaction() as db:
            await self._advance(db, batch, following)
        self._next, self._waits_since = following, None
        await gap()
        async with self.database.transaction() as db:
            good, _ = consumer._read(batch)
            fresh = await consumer._not_consumed(db, good)
            if fresh:
                await self.handle(db, fresh)
        self.committed()

    replace(Consumer, "_take", take)


def no_inbox() -> None:
    """A consumer does not ask whether it has had an event before, and relays send each twice.

    The relay may: it does so whenever it is killed between publishing and noting that it has.
    """

    async def all_of(_: Any, events: Sequence[Any]) -> list[Any]:
        return list(events)

    replace(consumer, "_not_consumed", all_of)
    usual = KafkaEventLog.publish

    async def publish(self: KafkaEventLog, messages: Sequence[Message]) -> list[tuple[int, int]]:
        await usual(self, messages)
        return await usual(self, messages)

    replace(KafkaEventLog, "publish", publish)
