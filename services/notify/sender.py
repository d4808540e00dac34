"""The sender: claims what is due, sends it, and has what each attempt came to recorded.

Outcomes are recorded, and further messages claimed, many in one transaction; none is open while
anything is sent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from libs.common.traces import OFF, TRACEPARENT, Traces
from services.notify import delivery_store, outcomes
from services.notify.channels.channel import Channel, attempt
from services.notify.delivery import Outcome
from services.notify.lanes import Lanes
from services.notify.outcomes import Attempt

log = structlog.get_logger()

PLACES = 512
"""Messages under way at a time, to all endpoints."""
LEASE_S = 15.0
"""How much longer than an attempt can last a claimed message is nobody else's."""
GATHER_S = 0.01
"""How long outcomes are gathered, at least, before they are recorded together."""
ATTEMPTS = Counter("firstbell_delivery_attempts", "Messages sent", ["service", "outcome"])

Again = Callable[[AsyncConnection, Sequence[Row[Any]]], Awaitable[None]]


class Sender:
    """Delivers what is due. Call `wake` after a commit: it looks at once.

    Args:
        channels: opens the ways to receivers, by the kind of endpoint.
        decide_again: run in the transaction that claims messages, with those claimed.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        database: Database,
        channels: Callable[[], Mapping[str, Channel]],
        decide_again: Again,
        tracing: Traces = OFF,
    ) -> None:
        self._settings = settings
        self._database = database
        self._open = channels
        self._decide_again = decide_again
        self._traces = tracing
        self._lease = timedelta(seconds=settings.delivery_timeout_s + LEASE_S)
        self._lanes = Lanes(PLACES, settings.retry_base_s, time.monotonic)
        self._done: list[Attempt] = []
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._woken.set()

    async def run(self, poll_s: float = 0.5) -> None:
        """Send until cancelled."""
        channels = self._open()
        try:
            await self._take_up_again()
            async with asyncio.TaskGroup() as group:
                while True:
                    self._woken.clear()
                    began = time.monotonic()
                    for row in await self._record_and_claim():
                        group.create_task(self._send(channels.get(row.channel), row))
                    await self._wait(poll_s, time.monotonic() - began)
        finally:
            for channel in channels.values():
                await channel.close()

    async def _take_up_again(self) -> None:
        # This process is new, or lost its database: nothing is under way under its name.
        if self._settings.instance is not None:
            async with self._database.transaction() as db:
                await delivery_store.give_back(db, self._settings.instance)

    async def _wait(self, poll_s: float, took_s: float) -> None:
        try:
            async with asyncio.timeout(poll_s):
                await self._woken.wait()
        except TimeoutError:
            return
        # The dearer a transaction is, the more is gathered for the next one.
        await asyncio.sleep(max(GATHER_S, took_s))

    async def _send(self, channel: Channel | None, row: Row[Any]) -> None:
        try:
            start_ns = time.time_ns()
            answer = await attempt(channel, row, self._settings.delivery_timeout_s)
            done = Attempt(row, answer)
            self._tell(done, start_ns)
            failed = done.outcome is not Outcome.DELIVERED
            self._lanes.note(row.endpoint, failed=failed, took_s=answer.took_s)
            ATTEMPTS.labels("notify", done.outcome.value).inc()
            self._done.append(done)
        finally:
            self._lanes.leave(row.endpoint)
            self.wake()

    def _tell(self, done: Attempt, start_ns: int) -> None:
        row = done.row
        told = {"delivery": str(row.id), "outcome": done.outcome.value, "channel": row.channel}
        self._traces.told("deliver", {TRACEPARENT: row.traceparent or ""}, start_ns, **told)
        number, took_ms = row.attempts + 1, round(done.answer.took_s * 1000)
        log.info("message sent", endpoint=str(row.endpoint), attempt=number, ms=took_ms, **told)

    async def _record_and_claim(self) -> list[Row[Any]]:
        done, self._done, now = self._done, [], utc_now()
        recovered, entered = self._lanes.take_recovered(), list[Row[Any]]()
        try:
            async with self._database.transaction() as db:
                await outcomes.record(db, done, self._settings.retry_base_s, now)
                await delivery_store.hasten(db, recovered, now)
                found = await delivery_store.due(db, now, self._lanes.closed(), self._lanes.room())
                entered += [row for row in found if self._lanes.enter(row.endpoint)]
                await delivery_store.lease(db, entered, now + self._lease, self._settings.instance)
                await self._decide_again(db, entered)
                rows = await delivery_store.still_claimed(db, entered)
                await outcomes.record_delivered(db, done)
        except BaseException:
            # Nothing of it is written: outcomes wait for the next time, places are free again.
            self._done = done + self._done
            self._leave(entered)
            raise
        kept = {row.number for row in rows}
        self._leave([row for row in entered if row.number not in kept])
        return rows

    def _leave(self, rows: Sequence[Row[Any]]) -> None:
        for row in rows:
            self._lanes.leave(row.endpoint)
