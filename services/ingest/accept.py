"""Accepting registers: those that arrive together are committed together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common import outbox, request_ids, traces
from libs.common.database import Database
from libs.common.event_records import message_of
from libs.common.eventlog import Message
from libs.common.events import RegisterTaken
from libs.common.identifiers import id_of
from libs.common.problems import TooMany, Unavailable
from libs.common.school_day import utc_now
from services.ingest import store
from services.ingest.fair_queue import FairQueue
from services.ingest.held import Changes, Held, code_text
from services.ingest.openings import Opening, Openings, warning_of
from services.ingest.registers import Sorted
from services.ingest.store import Key, Source

log = structlog.get_logger()

BATCH_REGISTERS_MAX = 64
QUEUE_REGISTERS_MAX = 20_000
SCHOOL_REGISTERS_MAX = 2_000
"""Of one school, a tenth of all: five school weeks of a school with forty groups."""


class Register(NamedTuple):
    """A register that was sent: whose, its marks sorted out, who sent it."""

    key: Key
    marks: Sorted
    subject: str
    backfill: bool = False


class Waiting(NamedTuple):
    """A register in the queue, and who waits for its receipt."""

    register: Register
    answer: asyncio.Future[dict[str, Any]]
    trace: Mapping[str, str]
    """Of the request that it came in: others may share its transaction."""
    request: str | None
    """That request's id."""


class Taken(NamedTuple):
    """A stored register: what its sender is told, and its event's id, if it changed anything."""

    answer: dict[str, Any]
    event_id: UUID | None


@dataclass
class _Batch:
    """What one transaction stores."""

    held: dict[Key, Held]
    openings: Mapping[Key, Opening | None]
    at: datetime
    changed: dict[Key, Held] = field(default_factory=dict)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    corrections: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[UUID, Message]] = field(default_factory=list)


class Committer:
    """Takes registers, schools in turn and a school's in order, up to 64 in one transaction.

    A receipt is given after the commit: what is accepted is kept.
    """

    def __init__(self, database: Database, committed: Callable[[], None]) -> None:
        self._database = database
        self._committed = committed
        self._openings = Openings()
        self._queue: FairQueue[Waiting] = FairQueue()

    def forget_calendar(self, urn: str) -> None:
        """Say that a school's calendar has changed."""
        self._openings.forget(urn)

    def submit(self, register: Register) -> asyncio.Future[dict[str, Any]]:
        """Queue a register; the future gives its receipt once it is on disk.

        Raises:
            TooMany: too many of this school's wait already.
            Unavailable: too many of all schools do.
        """
        if self._queue.waiting(register.key.urn) >= SCHOOL_REGISTERS_MAX:
            raise TooMany("Too many registers of this school are waiting; send this one again.")
        if len(self._queue) >= QUEUE_REGISTERS_MAX:
            raise Unavailable("Too many registers are waiting; send this one again in a moment.")
        answer = asyncio.get_running_loop().create_future()
        waiting = Waiting(register, answer, traces.headers(), request_ids.present())
        self._queue.put(register.key.urn, waiting)
        return answer

    async def run(self) -> None:
        """Commit what is queued, until cancelled."""
        batch: list[Waiting] = []
        try:
            while True:
                batch = [await self._queue.get()]
                while len(batch) < BATCH_REGISTERS_MAX and self._queue:
                    batch.append(self._queue.get_now())
                await self._settle(batch)
        finally:
            while self._queue:
                batch.append(self._queue.get_now())
            _fail(batch, Unavailable("The service is stopping; send the register again."))

    async def _settle(self, batch: Sequence[Waiting]) -> None:
        try:
            taken = await self._store(batch)
        except (OSError, OperationalError, InterfaceError, PoolTimeout) as error:
            # The database is away: asking for each register alone would keep everybody waiting.
            away = Unavailable("The database did not answer; send the register again.")
            _fail(batch, away if isinstance(error, PoolTimeout) else error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for waiting in batch:  # one bad register must not fail the others
                await self._settle([waiting])
        else:
            self._committed()
            for waiting, one in zip(batch, taken, strict=True):
                _tell(waiting, one)
                if not waiting.answer.done():
                    waiting.answer.set_result(one.answer)

    async def _store(self, waiting: Sequence[Waiting]) -> list[Taken]:
        async with self._database.transaction() as db:
            keys = [one.register.key for one in waiting]
            held = await store.held_for_update(db, keys)
            batch = _Batch(held, await self._openings.of(db, keys), utc_now())
            taken = [_take(batch, one.register, one.trace) for one in waiting]
            await store.keep_registers(db, batch.changed)
            await store.keep_receipts(db, batch.receipts)
            await store.keep_corrections(db, batch.corrections)
            await store.keep_quarantined(db, batch.quarantined)
            await outbox.append_messages(db, batch.messages)
        return taken


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def _take(batch: _Batch, register: Register, trace: Mapping[str, str]) -> Taken:
    key, marks = register.key, register.marks
    held = batch.held[key]
    changes = held.take(marks)
    source = Source(uuid4(), register.subject, batch.at)
    if changes.upns:
        batch.changed[key] = held
        event = _event(register, held, changes, batch.at)
        batch.messages.append((event.id, message_of(event, "ingest", trace)))
    batch.corrections += store.correction_rows(key, source, changes.corrected)
    batch.quarantined += store.quarantine_rows(key, source, marks.rejected)
    warning = warning_of(key, batch.openings[key])
    answer = answer_of(source.receipt, marks, changes, warning)
    event_id = id_of("register", *key, held.revision) if held.revision else None
    batch.receipts.append(
        {
            "id": source.receipt,
            "kind": "register",
            "urn": key.urn,
            "subject": source.subject,
            "at": source.at,
            "event_id": event_id,
            "answer": {"date": str(key.day), "session": key.session.value, **answer},
        }
    )
    return Taken(answer, event_id)


def _tell(waiting: Waiting, taken: Taken) -> None:
    told = {key: taken.answer[key] for key in ("receipt", "accepted", "corrected")}
    register = {"register": str(taken.event_id), "request": waiting.request}
    tell = log.debug if waiting.register.backfill else log.info
    tell("register taken", **told, rejected=len(taken.answer["rejected"]), **register)


def answer_of(
    receipt: UUID, marks: Sorted, changes: Changes, warning: str | None
) -> dict[str, Any]:
    """Return what the sender of a register is told."""
    return {
        "receipt": str(receipt),
        "accepted": len(changes.new) + len(changes.corrected),
        "corrected": len(changes.corrected),
        "unchanged": changes.unchanged,
        "rejected": rejected_of(marks),
        "notes": [asdict(note) for note in marks.notes],
        "warnings": [] if warning is None else [warning],
    }


def rejected_of(marks: Sorted) -> list[dict[str, Any]]:
    """Return the rejected marks as the sender is told of them."""
    return [{"index": m.index, "upn": m.upn, "reason": m.reason} for m in marks.rejected]


def _event(register: Register, held: Held, changes: Changes, at: datetime) -> RegisterTaken:
    upns = changes.upns
    return RegisterTaken(
        occurred_at=at,
        urn=register.key.urn,
        day=register.key.day,
        session=register.key.session,
        group=register.marks.group,
        revision=held.revision,
        upns=upns,
        codes=[code_text(held.codes[upn]) for upn in upns],
        minutes_late={upn: held.minutes[upn] for upn in upns if upn in held.minutes},
        backfill=register.backfill,
    )
