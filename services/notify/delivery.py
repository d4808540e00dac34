"""Pure: what a receiver's answer means, and when to try again."""

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from uuid import UUID

TRIED_FOR = timedelta(days=7)
"""A safeguarding alert is tried for a week; then it is dead, and said to be."""
SCHEDULE_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0)
"""The wait after the nth attempt; after the last of these it stays as long."""
BACKOFF_MAX = timedelta(hours=4)
RETRY_AFTER_MAX = timedelta(hours=1)
JITTER = 0.2


class Outcome(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"
    """The receiver says that the endpoint is no more: it is disabled."""
    DEAD = "dead"


class Verdict(StrEnum):
    """What a receiver says of one attempt, whichever way it came."""

    TAKEN = "taken"
    NOT_NOW = "not now"
    """It refused, or nothing was heard of it."""
    GONE = "gone"
    """The address is no more."""


def verdict_of(status: int) -> Verdict:
    """Return what an HTTP answer says. A redirect is no delivery.

    Source: Standard Webhooks 1.0.0, on success, 410 and retries.
    """
    if 200 <= status < 300:
        return Verdict.TAKEN
    return Verdict.GONE if status == 410 else Verdict.NOT_NOW


def outcome_of(verdict: Verdict, age: timedelta) -> Outcome:
    """Return what an attempt came to, of a message of this age."""
    if verdict is Verdict.TAKEN:
        return Outcome.DELIVERED
    if verdict is Verdict.GONE:
        return Outcome.GONE
    return Outcome.DEAD if age >= TRIED_FOR else Outcome.RETRY


def wait_after(
    attempt: int, base_s: float, delivery: UUID, retry_after_s: float | None = None
) -> timedelta:
    """Return how long to wait after the nth attempt, from 1, with the jitter of its id.

    `base_s` is the first wait: the whole schedule stretches or shrinks with it. A receiver's
    `Retry-After` is honoured up to an hour.
    """
    scheduled = SCHEDULE_S[min(attempt, len(SCHEDULE_S)) - 1] * base_s / SCHEDULE_S[0]
    backoff = min(scheduled, BACKOFF_MAX.total_seconds())
    jitter = random.Random(f"{delivery}/{attempt}").uniform(1 - JITTER, 1 + JITTER)
    asked = min(max(retry_after_s or 0, 0), RETRY_AFTER_MAX.total_seconds())
    return timedelta(seconds=max(backoff * jitter, asked))


def next_attempt_at(now: datetime, wait: timedelta, since: datetime) -> datetime:
    """Return the instant of the next attempt: the last one falls within `TRIED_FOR`."""
    return min(now + wait, since + TRIED_FOR)


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Return how long a `Retry-After` asks to wait, whichever of its two forms it has.

    Source: RFC 9110, 10.2.3.
    """
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):
        return None
