"""The Kafka event log: idempotent producer, consumer groups, offsets kept by the reader."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from libs.common import eventlog
from libs.common.eventlog import LogUnavailable, Message, Positions, Record
from libs.common.events import COMPACTED, DEAD_LETTERS, TOPICS

PARTITIONS = 12
BATCH_RECORDS_MAX = 500
RECORD_BYTES_MAX = 8_000_000
PUBLISH_TIMEOUT_S = 15.0
SESSION_MS = 10_000
"""How soon a dead consumer's partitions go to another."""
HEARTBEAT_MS = 2_000


class NewTopics(NamedTuple):
    """How missing topics are made: copies of each partition, and how long records stay."""

    replication: int
    kept: timedelta


class KafkaEventLog:
    """Kafka, by aiokafka. `servers` is host:port[,…].

    New topics have `replication` copies, and keep records so long. `options` say how every client
    connects: `libs.common.tls.kafka_options`. A reader that is killed and comes again as the same
    `instance` has its partitions at once.
    """

    def __init__(
        self,
        servers: str,
        replication: int = 1,
        kept: timedelta = timedelta(days=400),
        options: Mapping[str, Any] | None = None,
        instance: str | None = None,
    ) -> None:
        self._client = {"bootstrap_servers": servers, **(options or {})}
        self.instance = instance
        self._topics = NewTopics(replication, kept)
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Nothing is opened yet: a service starts, and takes registers, while Kafka is away."""

    async def close(self) -> None:
        """Stop the producer."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def make(self, topic: str) -> None:
        """Create it unless it is there: then it stays as the operator made it."""
        try:
            await _create(self._client, [_topic(topic, self._topics, 1)])
        except (KafkaError, OSError) as error:
            raise LogUnavailable(type(error).__name__) from error

    async def publish(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Send in order, and wait until every in-sync replica has all."""
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                producer = await self._connected()
                sent = [
                    await producer.send(
                        message.topic,
                        value=message.value,
                        key=message.key.encode(),
                        headers=[(k, v.encode()) for k, v in message.headers.items()],
                    )
                    for message in messages
                ]
                places = await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as error:
            # A fresh producer next time: batches given up on must not come after later ones.
            await self._abandon()
            raise LogUnavailable(type(error).__name__) from error
        return [(place.partition, place.offset) for place in places]

    async def subscribe(
        self, group: str, topics: Sequence[str], positions: Positions
    ) -> AsyncGenerator[list[Record], None]:
        """Join the group; each partition that comes is read from where the group's store says."""
        await ensure_topics(self._client, self._topics)
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=group,
            group_instance_id=self.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )
        seek = _Seek(consumer, positions)
        consumer.subscribe(topics, listener=seek)
        await consumer.start()
        try:
            while True:
                fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH_RECORDS_MAX)
                if seek.failure is not None:
                    raise seek.failure
                records = [
                    _record(raw)
                    for place in sorted(fetched, key=lambda p: topics.index(p.topic))
                    for raw in fetched[place]
                ]
                if not records:
                    continue
                yield records
                await _tell(consumer, records)
        finally:
            await _leave(consumer)

    async def handled(self, group: str, topic: str, partition: int) -> int:
        """Return the group's committed offset, as anyone who watches lag sees it."""
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            place = TopicPartition(topic, partition)
            found = await admin.list_consumer_group_offsets(group, partitions=[place])
            return max(0, found[place].offset) if place in found else 0
        except (KafkaError, OSError) as error:
            raise LogUnavailable(type(error).__name__) from error
        finally:
            await admin.close()

    async def erase_before(self, instant: datetime) -> int:
        """Leave it to the broker: each topic's `retention.ms` erases."""
        return 0

    async def waiting(self, following: Mapping[eventlog.TopicPartition, int]) -> dict[str, int]:
        """Subtract from each partition's end; what compaction removed is counted too."""
        if not following:
            return {}
        # It asks for each topic's leaders in turn, and waits this long after each.
        reader = AIOKafkaConsumer(**self._client, retry_backoff_ms=10)
        try:
            await reader.start()
            ends = await reader.end_offsets([TopicPartition(*place) for place in following])
        except (KafkaError, OSError) as error:
            raise LogUnavailable(type(error).__name__) from error
        finally:
            await reader.stop()
        found: Counter[str] = Counter()
        for (topic, partition), offset in following.items():
            found[topic] += max(0, ends[TopicPartition(topic, partition)] - offset)
        return dict(found)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            await ensure_topics(self._client, self._topics)
            producer = AIOKafkaProducer(
                **self._client,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=2,
                max_request_size=RECORD_BYTES_MAX,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _abandon(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(2):
                    await producer.stop()
            except (KafkaError, OSError, TimeoutError):
                return


class _Seek(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer, positions: Positions) -> None:
        self._consumer = consumer
        self._positions = positions
        self.failure: Exception | None = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to do: effects and offsets commit together, and a late commit is fenced."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Go on from the reader's own store of offsets."""
        try:
            found = await self._positions([(place.topic, place.partition) for place in assigned])
        except Exception as error:
            # aiokafka would log it, with a traceback, and read on from anywhere.
            self.failure = error
            return
        for place in assigned:
            self._consumer.seek(place, found[place.topic, place.partition])


def _record(raw: object) -> Record:
    return Record(
        raw.topic,  # type: ignore[attr-defined]
        raw.partition,  # type: ignore[attr-defined]
        raw.offset,  # type: ignore[attr-defined]
        raw.key.decode(errors="replace") if raw.key is not None else None,  # type: ignore[attr-defined]
        raw.value or b"",  # type: ignore[attr-defined]
        {k: v.decode(errors="replace") for k, v in raw.headers},  # type: ignore[attr-defined]
    )


async def _leave(consumer: AIOKafkaConsumer) -> None:
    if (coordinator := consumer._coordinator) is not None:
        # aiokafka does not leave the group if the member has a name, and others would wait for it
        # until its session ends. Whoever ends in order makes room; only who is killed comes back.
        coordinator._group_instance_id = None
    await consumer.stop()


async def _tell(consumer: AIOKafkaConsumer, records: Sequence[Record]) -> None:
    following = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
    held = consumer.assignment()
    ours = {place: at for place, at in following.items() if place in held}
    if not ours:
        return  # all went to others meanwhile; aiokafka takes an empty commit for a mistake
    try:
        await consumer.commit(ours)
    except KafkaError:
        return  # only whoever watches lag needs it; the next batch tells more


async def ensure_topics(client: Mapping[str, Any], new: NewTopics) -> None:
    """Create the services' topics that are not there, and one beside each for dead letters."""
    wanted = [name for topic in TOPICS for name in (topic, topic + DEAD_LETTERS)]
    await _create(client, [_topic(name, new) for name in wanted])


async def _create(client: Mapping[str, Any], topics: Sequence[NewTopic]) -> None:
    """Create those that are not there; those that are stay as the operator made them."""
    admin = AIOKafkaAdminClient(**client)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in there]
        if missing:
            answer = await admin.create_topics(missing)
            for _, code, *_ in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)
    finally:
        await admin.close()


def _topic(name: str, new: NewTopics, partitions: int = PARTITIONS) -> NewTopic:
    configs = {
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "retention.ms": str(new.kept // timedelta(milliseconds=1)),
    }
    if name in COMPACTED:
        configs["cleanup.policy"] = "compact"
    return NewTopic(name, partitions, new.replication, topic_configs=configs)
