"""`firstbell` with a fault planted: `python -m tests.torture.planted FAULT serve NAME …`.

A harness that has never failed proves nothing by its zeros. Each fault here is one that real
systems have had; the harness must find every one of them. They live in this launcher alone: the
product has no switch for them. `none` plants nothing. With FIRSTBELL_TEST_SWIFT a dead process's
work comes to its successor sooner than in an installation, so that short runs end soon.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from libs.common import consumer, eventlog_kafka, outbox
from libs.common.consumer import Consumer
from libs.common.eventlog import Message, Record
from libs.common.eventlog_kafka import KafkaEventLog
from libs.common.outbox import Relay
from services.cli import app
from services.ingest import accept
from services.ingest.accept import Committer
from services.notify import routing, sender
from services.notify.delivery import Outcome
from services.notify.sender import Sender

WINDOW_S = 0.25
"""How long a planted fault's gap stays open: a run has some kills, and not thousands."""


def acknowledged_early() -> None:
    """Ingest answers 202 before it has committed."""
    usual = Committer._settle

    async def settle(self: Committer, batch: Sequence[accept.Waiting]) -> None:
        for waiting in batch:
            if not waiting.answer.done():
                marks = {"accepted": 0, "corrected": 0, "unchanged": 0}
                answer = {"receipt": str(uuid4()), **marks, "rejected": [], "notes": []}
                waiting.answer.set_result(answer)
        await asyncio.sleep(WINDOW_S)
        await usual(self, batch)

    Committer._settle = settle  # type: ignore[method-assign]


def written_twice() -> None:
    """Ingest stores the event in a transaction of its own, after that of the register."""
    usual = Committer._store
    waiting: list[Any] = []

    async def append(_: Any, source: str, events: Sequence[Any]) -> None:
        waiting.append((source, events))

    async def store(self: Committer, registers: Sequence[Any]) -> Any:
        answers = await usual(self, registers)
        await asyncio.sleep(WINDOW_S)
        async with self._database.transaction() as db:
            for source, events in waiting:
                await outbox.append_messages(
                    db, [(event.id, outbox.message_of(event, source)) for event in events]
                )
        waiting.clear()
        return answers

    class Apart:
        append = staticmethod(append)

    accept.outbox = Apart  # type: ignore[assignment]
    Committer._store = store  # type: ignore[method-assign]


def marked_before_published() -> None:
    """The relay marks events as published before it has published them."""

    async def publish_some(self: Relay) -> int:
        async with self._alone():
            async with self._database.reading() as db:
                rows = (await db.execute(outbox._UNPUBLISHED)).all()
            if not rows:
                return 0
            await self._mark([row.id for row in rows], [(0, 0)] * len(rows))
            await asyncio.sleep(WINDOW_S)
            await self._log.publish(
                [Message(r.topic, r.key, r.value, json.loads(r.headers)) for r in rows]
            )
            return len(rows)

    Relay.publish_some = publish_some  # type: ignore[method-assign]


def offsets_first() -> None:
    """A consumer commits its offsets before the effects of what it has read."""

    async def take(
        self: Consumer, batch: Sequence[Record], put_aside: bool, reason: str = ""
    ) -> None:
        following = dict(self._next)
        async with self.database.transaction() as db:
            await self._advance(db, batch, following)
        self._next = following
        await asyncio.sleep(WINDOW_S)
        async with self.database.transaction() as db:
            good, _ = consumer._read(batch)
            fresh = await consumer._not_consumed(db, good)
            if fresh:
                await self.handle(db, fresh)
        self.committed()

    Consumer._take = take  # type: ignore[method-assign]


def no_inbox() -> None:
    """A consumer does not ask whether it has had an event before."""

    async def all_of(_: Any, events: Sequence[Any]) -> list[Any]:
        return list(events)

    consumer._not_consumed = all_of
    usual = KafkaEventLog.publish

    async def publish(self: KafkaEventLog, messages: Sequence[Message]) -> list[tuple[int, int]]:
        places = await usual(self, messages)
        await asyncio.sleep(WINDOW_S)
        return places

    KafkaEventLog.publish = publish  # type: ignore[method-assign]


def new_id_each_time() -> None:
    """The sender makes a new webhook-id for each attempt."""
    usual = Sender._signed

    def signed(self: Sender, _: Any, body: str, row: Any) -> dict[str, str]:
        return usual(self, uuid4(), body, row)

    Sender._signed = signed  # type: ignore[method-assign]


def noted_before_sent() -> None:
    """The sender notes a message as delivered before it has sent it."""
    usual = Sender._post
    sending: set[Any] = set()

    async def post(self: Sender, client: Any, row: Any) -> Any:
        async def later() -> None:
            await asyncio.sleep(WINDOW_S)
            await usual(self, client, row)

        task = asyncio.create_task(later())
        sending.add(task)
        task.add_done_callback(sending.discard)
        return 204, None, None

    Sender._post = post  # type: ignore[method-assign]


def gives_up() -> None:
    """The sender takes a receiver's refusal for the end of the matter."""
    usual = sender.outcome_of

    def outcome_of(status: int | None, age: timedelta) -> Outcome:
        found = usual(status, age)
        return Outcome.DELIVERED if found is Outcome.RETRY else found

    sender.outcome_of = outcome_of


def any_worker() -> None:
    """Routing asks for the role and forgets to ask for whose worker it is."""
    usual = routing._found

    def found(about: Any, to: Any, people: Any) -> Any:
        if to.found_by != "involvement":
            return usual(about, to, people)
        return [
            (person, capacity)
            for _, capacity in usual(about, to, people)
            for person in people.values()
            if to.role in person.roles
        ]

    routing._found = found


FAULTS: dict[str, Callable[[], None]] = {
    "acknowledged-early": acknowledged_early,
    "written-twice": written_twice,
    "marked-before-published": marked_before_published,
    "offsets-first": offsets_first,
    "no-inbox": no_inbox,
    "new-id-each-time": new_id_each_time,
    "noted-before-sent": noted_before_sent,
    "gives-up": gives_up,
    "any-worker": any_worker,
}


def main(fault: str, *command: str) -> None:
    """Plant a fault and be `firstbell`."""
    if "FIRSTBELL_TEST_SWIFT" in os.environ:
        sender.LEASE = timedelta(seconds=2)
        eventlog_kafka.SESSION_MS, eventlog_kafka.HEARTBEAT_MS = 3000, 600
    if fault != "none":
        FAULTS[fault]()
    app(list(command))


if __name__ == "__main__":
    main(*sys.argv[1:])
