"""An agency's feed: CloudEvents in a topic of its own, for those who integrate its systems.

A topic an agency, so that the broker's rights can keep each to its own. It has one partition: what
was told first stands first.
"""

import json

from libs.common.event_records import cloud_event
from libs.common.eventlog import EventLog, LogUnavailable
from libs.common.eventlog import Message as LogMessage
from libs.common.events import FEED
from services.notify.channels.channel import Message, Said
from services.notify.delivery import Verdict


def topic_of(agency: str) -> str:
    """Return the topic of an agency's feed."""
    return FEED + agency


class Feed:
    """Publishes to the log that the services share.

    Args:
        log: one of the feeds' own: a feed that cannot be written disturbs no other event.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._made: set[str] = set()

    async def send(self, message: Message) -> Said:
        """Publish a message, and wait until it is kept."""
        if message.address not in self._made:
            await self._log.make(message.address)
            self._made.add(message.address)
        await self._log.publish([event_of(message)])
        return Said(Verdict.TAKEN)

    def fault_of(self, error: Exception) -> str:
        """Return what went wrong between here and the log."""
        return "the log is away" if isinstance(error, LogUnavailable) else type(error).__name__

    async def close(self) -> None:
        """Let go of the log."""
        await self._log.close()


def event_of(message: Message) -> LogMessage:
    """Return a message as a CloudEvent in binary mode; its `ce_id` is the message's id."""
    time = json.loads(message.body)["timestamp"]
    headers = cloud_event(message.id, f"uk.firstbell.{message.type}", "notify", time)
    return LogMessage(message.address, message.agency, message.body.encode(), headers)
