"""Dead letters: listed with their reasons by the command, and replayed through the outbox."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection
from typer.testing import CliRunner

from libs.common import migrations
from libs.common.consumer import Consumer
from libs.common.database import Database
from libs.common.event_records import message_of
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.events import REGISTERS, RegisterTaken
from libs.common.outbox import Relay
from libs.common.school_day import Session
from libs.common.settings import embedded
from services.cli import app
from tests.conftest import until


def taken(revision: int) -> RegisterTaken:
    return RegisterTaken(
        occurred_at=datetime(2026, 9, 14, 8, 50, tzinfo=UTC),
        urn="100000",
        day=date(2026, 9, 14),
        session=Session.am,
        group=None,
        revision=revision,
        upns=[],
        codes=[],
    )


class Risk:
    """The risk service's database and log, with a handler that a bug can be put into."""

    def __init__(self, data: Path) -> None:
        self.database = Database(embedded(data).database_url, "risk")
        self.log = EmbeddedEventLog(data / "log.db")
        self.handled: list[int] = []

    async def publish(self, *events: RegisterTaken) -> None:
        await self.log.start()
        await self.log.publish([message_of(event, "ingest") for event in events])

    async def relay(self) -> None:
        while await Relay(self.database, self.log).publish_some():
            pass

    async def consume(self, bug_at: int | None = None) -> None:
        """Handle everything that is in the log."""

        async def handle(_: AsyncConnection, events: Sequence[RegisterTaken]) -> None:
            if bug_at in {event.revision for event in events}:
                raise ZeroDivisionError
            self.handled += [event.revision for event in events]

        consumer = Consumer(self.log, self.database, "risk", [REGISTERS], handle)
        running = asyncio.create_task(consumer.run())

        async def done() -> bool:
            handled = await self.log.handled("risk", REGISTERS, 0)
            return (await self.log.waiting({(REGISTERS, 0): handled}))[REGISTERS] == 0

        await until(done)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def close(self) -> None:
        await self.log.close()
        await self.database.close()


async def a_record_is_put_aside(data: Path) -> None:
    for service in ("risk", "notify"):
        await migrations.upgrade(service, embedded(data).database_url)
    risk = Risk(data)
    await risk.publish(taken(1), taken(2), taken(3))
    await risk.consume(bug_at=2)
    assert risk.handled == [1, 3]
    await risk.close()


async def consumed_once_the_bug_is_mended(data: Path) -> list[int]:
    risk = Risk(data)
    await risk.relay()
    await risk.consume()
    await risk.close()
    return risk.handled


def command(*words: str, data: Path) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_was_put_aside_is_listed_replayed_and_then_handled_once(tmp_path: Path) -> None:
    asyncio.run(a_record_is_put_aside(tmp_path))
    listed = command("dead-letters", "list", data=tmp_path)
    assert "ZeroDivisionError" in listed
    assert REGISTERS in listed
    assert "100000" not in listed

    said = command("dead-letters", "replay", data=tmp_path)

    assert said.startswith("1 record(s)")
    assert asyncio.run(consumed_once_the_bug_is_mended(tmp_path)) == [2]
    assert REGISTERS not in command("dead-letters", "list", data=tmp_path)
    assert command("dead-letters", "replay", data=tmp_path).startswith("0 record(s)")
    assert asyncio.run(consumed_once_the_bug_is_mended(tmp_path)) == []
