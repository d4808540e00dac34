"""The way to a receiver: the interface that every channel fits, and one attempt by it."""

import asyncio
import time
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Row

from libs.common.school_day import utc_now
from services.notify.delivery import Verdict, seconds_of

Message = Row[Any]
"""A message's row with its endpoint's `channel`, `address` and secrets."""


class Said(NamedTuple):
    """What a receiver said of a message."""

    verdict: Verdict
    status: int | None = None
    """In HTTP's numbers, or in SMTP's."""
    retry_after: str | None = None
    """A `Retry-After`, as it came."""
    why: str | None = None
    """A few words where a number does not say it; they name no address."""


class Channel(Protocol):
    """One way to reach receivers. Whatever it keeps open serves all messages."""

    async def send(self, message: Message) -> Said:
        """Send a message, and return what was said of it; it may raise anything."""

    def fault_of(self, error: Exception) -> str:
        """Return what went wrong, in words that hold nothing of the message or its address."""

    async def close(self) -> None:
        """Let go of connections."""


class Answer(NamedTuple):
    """What an attempt came to; `fault` is in a few words that name no address."""

    verdict: Verdict
    status: int | None
    fault: str | None
    retry_after_s: float | None
    at: datetime
    took_s: float


async def attempt(channel: Channel | None, message: Message, timeout_s: float) -> Answer:
    """Send a message within so many seconds; whatever goes wrong is told, never raised.

    Args:
        channel: None: this installation has none for such endpoints any more.
    """
    began = time.monotonic()
    said = await _said(channel, message, timeout_s)
    now = utc_now()
    retry_after_s = seconds_of(said.retry_after, now)
    return Answer(said.verdict, said.status, said.why, retry_after_s, now, time.monotonic() - began)


async def _said(channel: Channel | None, message: Message, timeout_s: float) -> Said:
    if channel is None:
        return _nothing(f"nothing is set up here for {message.channel}")
    try:
        async with asyncio.timeout(timeout_s):
            return await channel.send(message)
    except TimeoutError:
        return _nothing("no answer in time")
    except Exception as error:
        return _nothing(channel.fault_of(error))


def _nothing(why: str) -> Said:
    return Said(Verdict.NOT_NOW, why=why)
