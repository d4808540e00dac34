"""The event log: the port that both adapters, Kafka and embedded, fit."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

TopicPartition = tuple[str, int]

Positions = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""Where a group goes on reading: the next offset of each partition."""


class LogUnavailable(Exception):
    """The log could not be reached; nothing is known to be published. Try again."""


class Message(NamedTuple):
    """What is published: one record to be."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str]


class Record(NamedTuple):
    """One entry in the log."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    headers: Mapping[str, str]


class EventLog(Protocol):
    """Records in topics; each partition keeps its order."""

    async def start(self) -> None:
        """Connect, and see that the topics are there."""

    async def close(self) -> None:
        """Let go of connections."""

    async def make(self, topic: str) -> None:
        """See that a topic beside the services' own is there, with one partition.

        Raises:
            LogUnavailable: the log could not be reached, or did not make it.
        """

    async def publish(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Publish in order; return each one's partition and offset once all are durable.

        Raises:
            LogUnavailable: not all are known to be durable: publish them again.
        """

    def subscribe(
        self, group: str, topics: Sequence[str], positions: Positions
    ) -> AsyncGenerator[list[Record], None]:
        """Yield records as they come, for ever; asking for more says that the last were handled.

        The group's own store of offsets is the truth (`positions`); the log's copy of them serves
        `handled` and whoever watches lag. Close it (`aclosing`) to leave the group at once.
        """

    async def handled(self, group: str, topic: str, partition: int) -> int:
        """Return the offset below which this group has handled the partition; 0 if not known."""

    async def erase_before(self, instant: datetime) -> int:
        """Erase what was published before and is handled; return how many records went.

        Of a compacted topic each key's latest record stays. Where the broker erases by itself: 0.
        """

    async def waiting(self, following: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Return how many records each topic has from these next offsets on.

        Raises:
            LogUnavailable: the log is away.
        """
