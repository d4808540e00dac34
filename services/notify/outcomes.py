"""What attempts came to, recorded many in one transaction: messages, their ends, the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import delivery_store, endpoint_store, ledger, undelivered
from services.notify.channels.channel import Answer
from services.notify.delivered import records_of
from services.notify.delivery import Outcome, next_attempt_at, outcome_of, wait_after

ATTEMPTS_SHOWN = 60
"""Attempts in a message's log: more than a week has."""


class Attempt(NamedTuple):
    """A message, and what sending it came to."""

    row: Row[Any]
    answer: Answer

    @property
    def outcome(self) -> Outcome:
        """Return what it means for the message."""
        return outcome_of(self.answer.verdict, self.answer.at - self.row.pending_since)


async def record(
    db: AsyncConnection, done: Sequence[Attempt], retry_base_s: float, now: datetime
) -> None:
    """Record attempts; whoever is reached elsewhere is told there of what ended undelivered."""
    gone = {a.row.endpoint: a.answer.at for a in done if a.outcome is Outcome.GONE}
    over = [a.row for a in done if a.outcome in {Outcome.GONE, Outcome.DEAD}]
    await undelivered.lock_told(db, {row.endpoint for row in over})
    # Whoever heard first that its endpoint is gone has ended it, and told of that.
    over = await delivery_store.still_claimed(db, over)
    await delivery_store.note_attempts(db, [_values(attempt, retry_base_s) for attempt in done])
    ended = [
        row
        for endpoint, at in gone.items()
        for row in await endpoint_store.disable(db, endpoint, at)
    ]
    await undelivered.tell_others(db, ended + over, now)


async def record_delivered(db: AsyncConnection, done: Sequence[Attempt]) -> None:
    """Add to the ledger what has come to its receivers; last in its transaction.

    The ledger lets one transaction at a time append: nothing is to be waited for behind that.
    """
    taken = [(a.row, a.answer.at) for a in done if a.outcome is Outcome.DELIVERED]
    records = await records_of(db, taken)
    if records:
        await ledger.append(db, records)


def _values(attempt: Attempt, retry_base_s: float) -> dict[str, Any]:
    row, answer, outcome = attempt.row, attempt.answer, attempt.outcome
    next_at, state, delivered_at = answer.at, "dead", None
    if outcome is Outcome.RETRY:
        wait = wait_after(_place(row), retry_base_s, row.id, answer.retry_after_s)
        next_at, state = next_attempt_at(answer.at, wait, row.pending_since), "pending"
    elif outcome is Outcome.DELIVERED:
        state, delivered_at = "delivered", answer.at
    return {
        "row_number": row.number,
        "state": state,
        "next_attempt_at": next_at,
        "delivered_at": delivered_at,
        "last_outcome": answer.fault
        or (f"{outcome} ({answer.status})" if answer.status else str(outcome)),
        "last_status": answer.status,
        "last_took_ms": round(answer.took_s * 1000),
        "last_attempt_at": answer.at,
        "log": [*row.log, _entry(answer)][-ATTEMPTS_SHOWN:],
    }


def _place(row: Row[Any]) -> int:
    """Return which attempt this was, from 1, since the message was made or asked for again."""
    since = row.pending_since.isoformat()
    return 1 + len([one for one in row.log if one["at"] >= since])


def _entry(answer: Answer) -> dict[str, Any]:
    return {
        "at": answer.at.isoformat(),
        "status": answer.status,
        "fault": answer.fault,
        "took_ms": round(answer.took_s * 1000),
    }
