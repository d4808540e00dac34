"""What both event logs promise, by one suite: the embedded one, and a real Kafka if it is there."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.common import eventlog_kafka
from libs.common.eventlog import EventLog, LogUnavailable, Message, Record, TopicPartition
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.eventlog_kafka import SESSION_MS, KafkaEventLog
from libs.common.events import BELLS, DEAD_LETTERS, FEED, INVOLVEMENTS, REGISTERS
from tests.conftest import until


class Log:
    """A log under test; `again` is another process's view of the same one."""

    def __init__(self, again: Callable[[], EventLog], topics: tuple[str, str]) -> None:
        self.again = again
        self.first, self.second = topics
        self.here = again()

    async def publish(self, *values: str, topic: str = "", key: str = "k") -> None:
        messages = [Message(topic or self.first, key, v.encode(), {"n": v}) for v in values]
        await self.here.publish(messages)


async def kafka_topics(servers: str) -> tuple[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    names = (f"test.{uuid4()}", f"test.{uuid4()}")
    await admin.create_topics([NewTopic(name, 3, 1) for name in names])
    await admin.close()
    return names


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    if request.param == "embedded":
        made = Log(lambda: EmbeddedEventLog(tmp_path / "log.db"), ("first", "second"))
    else:
        servers = os.environ["FIRSTBELL_TEST_KAFKA"]
        made = Log(lambda: KafkaEventLog(servers), await kafka_topics(servers))
    await made.here.start()
    yield made
    await made.here.close()


class Reader:
    """A group that keeps its positions as a consumer does, after having handled a batch."""

    def __init__(self, group: str = "") -> None:
        self.group = group or f"group-{uuid4()}"
        self.kept: dict[TopicPartition, int] = {}
        self.records: list[Record] = []

    async def positions(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {place: self.kept.get(place, 0) for place in places}

    async def read(self, log: EventLog, topics: Sequence[str], count: int) -> None:
        """Read until `count` more records have come, and ask for more once."""
        wanted = len(self.records) + count
        subscription = log.subscribe(self.group, topics, self.positions)
        async with asyncio.timeout(30), aclosing(subscription) as batches:
            async for batch in batches:
                self.records += batch
                self.kept.update({(r.topic, r.partition): r.offset + 1 for r in batch})
                if len(self.records) >= wanted:
                    break

    def values(self, key: str | None = None) -> list[str]:
        return [r.value.decode() for r in self.records if key in (None, r.key)]


async def test_a_record_comes_as_it_was_published(log: Log) -> None:
    reader = Reader()
    (place,) = await log.here.publish([Message(log.first, "100000", b"{}", {"ce_id": "1"})])

    await reader.read(log.here, [log.first], 1)

    assert reader.records == [Record(log.first, *place, "100000", b"{}", {"ce_id": "1"})]


async def test_each_keys_records_keep_their_order_and_none_is_lost(log: Log) -> None:
    reader = Reader()
    keys = [f"10000{n}" for n in range(5)]
    for n in range(0, 300, 50):
        await log.here.publish(
            [Message(log.first, k, f"{i:03}".encode(), {}) for i in range(n, n + 50) for k in keys]
        )

    await reader.read(log.here, [log.first], 1500)

    assert len(reader.records) == 1500
    for key in keys:
        assert reader.values(key) == [f"{i:03}" for i in range(300)]


async def test_every_group_gets_every_record(log: Log) -> None:
    await log.publish("a", "b")
    one, other = Reader(), Reader()

    await asyncio.gather(*(r.read(log.here, [log.first], 2) for r in (one, other)))

    assert one.values() == other.values() == ["a", "b"]


async def test_a_group_goes_on_from_its_own_store_of_positions(log: Log) -> None:
    await log.publish("a", "b")
    reader = Reader()
    await reader.read(log.here, [log.first], 2)
    await log.publish("c")

    again = log.again()
    await again.start()
    await reader.read(again, [log.first], 1)
    await again.close()

    assert reader.values() == ["a", "b", "c"]


async def test_what_the_store_has_not_kept_comes_again(log: Log) -> None:
    await log.publish("a", "b")
    reader = Reader()
    await reader.read(log.here, [log.first], 2)
    reader.kept = {place: offset - 1 for place, offset in reader.kept.items()}

    await reader.read(log.here, [log.first], 1)

    assert reader.values() == ["a", "b", "b"]


async def test_records_published_elsewhere_while_it_reads_come_too(log: Log) -> None:
    await log.publish("a")
    reader = Reader()
    reading = asyncio.create_task(reader.read(log.here, [log.first], 2))
    elsewhere = log.again()
    await elsewhere.start()
    await until(lambda: asyncio.sleep(0, bool(reader.records)), 20)

    await elsewhere.publish([Message(log.first, "k", b"b", {})])
    await reading
    await elsewhere.close()

    assert reader.values() == ["a", "b"]


async def test_a_topic_beside_the_services_own_is_made_once_and_keeps_one_order(log: Log) -> None:
    topic = f"{FEED}{uuid4()}"
    await log.here.make(topic)
    await log.again().make(topic)
    await log.publish("1", "2", "3", topic=topic)
    await log.publish("4", topic=topic, key="another")
    reader = Reader()

    await reader.read(log.here, [topic], 4)

    assert reader.values() == ["1", "2", "3", "4"]


async def test_a_group_reads_the_topics_that_it_named_and_no_other(log: Log) -> None:
    await log.publish("a")
    await log.publish("b", topic=log.second)
    both, one = Reader(), Reader()

    await both.read(log.here, [log.second, log.first], 2)
    await one.read(log.here, [log.second], 1)

    assert sorted(both.values()) == ["a", "b"]
    assert one.values() == ["b"]


async def test_handled_follows_when_more_is_asked_for_and_not_before(log: Log) -> None:
    reader = Reader()
    ((partition, offset),) = await log.here.publish([Message(log.first, "k", b"a", {})])
    assert await log.here.handled(reader.group, log.first, partition) == 0
    reading = asyncio.create_task(reader.read(log.here, [log.first], 2))

    async def handled() -> bool:
        return await log.here.handled(reader.group, log.first, partition) == offset + 1

    await until(handled, 20)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert reader.values() == ["a"]


async def test_waiting_counts_the_records_that_a_reader_has_yet_to_come_to(log: Log) -> None:
    reader = Reader()
    await log.publish("other", topic=log.second)
    await log.publish("a")
    await reader.read(log.here, [log.first, log.second], 2)
    assert await log.here.waiting(reader.kept) == {log.first: 0, log.second: 0}

    await log.publish("b", "c")

    assert await log.here.waiting(reader.kept) == {log.first: 2, log.second: 0}


async def test_an_embedded_log_whose_file_is_held_says_that_it_is_away(tmp_path: Path) -> None:
    log = EmbeddedEventLog(tmp_path / "log.db")  # never started: the file has no tables

    with pytest.raises(LogUnavailable):
        await log.publish([Message("first", "k", b"", {})])
    await log.close()


async def test_the_embedded_log_erases_what_is_old_and_handled_by_all(tmp_path: Path) -> None:
    log = EmbeddedEventLog(tmp_path / "log.db")
    await log.start()
    old, new = ({"ce_time": f"2026-{month}-01T08:00:00+00:00"} for month in ("01", "09"))
    aside = f"{REGISTERS}{DEAD_LETTERS}"
    await log.publish([Message(t, "k", b"", old) for t in (REGISTERS, BELLS, INVOLVEMENTS, aside)])
    await log.publish([Message(INVOLVEMENTS, "other", b"", old), Message(REGISTERS, "k", b"", {})])
    subscription = log.subscribe("risk", [REGISTERS, INVOLVEMENTS], Reader().positions)
    async with aclosing(subscription) as batches:
        await anext(batches)
        await log.publish([Message(t, "k", b"", new) for t in (REGISTERS, INVOLVEMENTS)])
        await anext(batches)  # to ask for more says that the last were handled
    await log.publish([Message(REGISTERS, "k", b"late", old)])

    assert await log.erase_before(datetime(2026, 6, 1, tzinfo=UTC)) == 3

    left = Reader()
    await left.read(log, [REGISTERS, BELLS, INVOLVEMENTS, aside], 6)
    assert [(r.topic, r.key, r.headers.get("ce_time", "")[:7]) for r in left.records] == [
        (REGISTERS, "k", ""), (REGISTERS, "k", "2026-09"), (REGISTERS, "k", "2026-01"),
        (BELLS, "k", "2026-01"),
        (INVOLVEMENTS, "other", "2026-01"), (INVOLVEMENTS, "k", "2026-09"),
    ]  # fmt: skip
    await log.close()


async def test_a_kafka_that_is_not_there_is_away() -> None:
    log = KafkaEventLog("127.0.0.1:1")

    with pytest.raises(LogUnavailable):
        await log.publish([Message("first", "k", b"", {})])
    with pytest.raises(LogUnavailable):
        await log.make("first")
    with pytest.raises(LogUnavailable):
        await log.waiting({("first", 0): 0})
    with pytest.raises(LogUnavailable):
        await log.handled("group", "first", 0)
    await log.close()


async def test_a_reader_whose_store_of_positions_is_away_does_not_read_on(log: Log) -> None:
    await log.publish("a")

    async def away(_: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise ConnectionResetError

    reader = Reader()
    reader.positions = away  # type: ignore[method-assign]

    with pytest.raises(ConnectionResetError):
        await reader.read(log.here, [log.first], 1)
    assert reader.records == []


READS_UNTIL_KILLED = """
import asyncio, sys
from libs.common.eventlog_kafka import KafkaEventLog

async def positions(places):
    return dict.fromkeys(places, 0)

async def main(servers, name, group, topic):
    async for batch in KafkaEventLog(servers, instance=name).subscribe(group, [topic], positions):
        print("reads", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.kafka
async def test_a_reader_that_was_killed_and_comes_again_by_its_name_reads_on_at_once() -> None:
    servers = os.environ["FIRSTBELL_TEST_KAFKA"]
    topic, _ = await kafka_topics(servers)
    reader, log = Reader(), KafkaEventLog(servers, instance=f"reader-{uuid4()}")
    await log.publish([Message(topic, "k", b"a", {})])
    command = [sys.executable, "-c", READS_UNTIL_KILLED, servers, str(log.instance)]
    killed = await asyncio.create_subprocess_exec(
        *command, reader.group, topic, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    await killed.stdout.readline()
    killed.kill()
    await killed.wait()

    async with asyncio.timeout(SESSION_MS / 1000 / 2):
        await reader.read(log, [topic], 1)

    assert reader.values() == ["a"]
    await log.close()


@pytest.mark.kafka
async def test_a_reader_with_a_name_that_ends_in_order_makes_room_for_others_at_once() -> None:
    servers = os.environ["FIRSTBELL_TEST_KAFKA"]
    topic, _ = await kafka_topics(servers)
    reader, log = Reader(), KafkaEventLog(servers, instance=f"reader-{uuid4()}")
    await log.publish([Message(topic, "k", value, {}) for value in (b"a", b"b")])
    await reader.read(log, [topic], 1)
    reader.kept = dict.fromkeys(reader.kept, 1)

    async with asyncio.timeout(SESSION_MS / 1000 / 2):
        await reader.read(KafkaEventLog(servers, instance=f"reader-{uuid4()}"), [topic], 1)

    assert reader.values()[-1] == "b"
    await log.close()


async def test_a_group_that_lost_every_partition_of_a_batch_goes_on() -> None:
    consumer = AIOKafkaConsumer(group_id="group")
    consumer.assign([Place(BELLS, 0)])

    await eventlog_kafka._tell(consumer, [Record(REGISTERS, 0, 7, None, b"", {})])

    await consumer.stop()
