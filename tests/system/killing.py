"""Notify killed with SIGKILL at random moments under load, and what must hold afterwards.

    .venv/bin/python -m tests.system.killing [kills] [seed]

Bells come in all the while: urgent ones, told at once, and notices that wait for a digest, which is
made due again and again, so that a kill falls between holding back and letting go too. Printed is
the seed; the same one kills at the same times, though a process is not always as far by then.
"""

import asyncio
import json
import random
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer

from libs.common.event_records import message_of
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.school_day import utc_now
from services.notify.messages import parts_of
from tests.service.notify_app import ADA, AGENCIES, BEN, PRACTITIONERS, bell
from tests.system import dying
from tests.system.receiver import Receiver
from tests.system.stack import FIRSTBELL, INVOLVEMENT, Stack, free_port, put, wait_for

KILLS = 100
LIFE_MAX_S = 6.0
"""The longest life: it takes a process a second or two to begin, and it may end before that."""
BELLS = 8
"""Published before each life, half of them urgent."""
PATIENCE_S = 120.0


class Told(NamedTuple):
    """What came to the two receivers."""

    messages: int
    repeats: int
    digests: int


class Notify(Stack):
    """Notify alone, on SQLite and the embedded log."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.ports["notify"] = free_port()
        self.env |= {
            "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{data}/{{service}}.db",
            "FIRSTBELL_DATA_DIR": str(data),
            "FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS": "true",
            "FIRSTBELL_RETRY_BASE_S": "0.1",
        }
        self.published: list[tuple[str, str]] = []
        """Each bell: its id and its severity."""

    def start(self, name: str) -> None:
        command = ["serve", name, "--port", str(self.ports[name])]
        self.processes[name] = dying.started(name, command, self.data, self.env)

    def stop(self) -> None:
        for client in self.clients.values():
            client.close()
        for process in self.processes.values():
            process.kill()
            process.join()

    def live_and_die(self, life_s: float) -> None:
        """Let the process live so long at most, kill it, and start another."""
        process = self.processes["notify"]
        process.join(life_s)
        process.kill()
        process.join()
        self.start("notify")

    def ring(self) -> None:
        """Publish bells, each its own."""
        first = len(self.published) + 1
        events = [
            bell(number=n, upn=(ADA, BEN)[n // 2 % 2])
            if n % 2
            else bell(number=n, upn=(ADA, BEN)[n // 2 % 2], kind="lateness", severity="notice")
            for n in range(first, first + BELLS)
        ]
        asyncio.run(_publish(self.data, events))
        self.published += [(str(one.bell.id), one.bell.severity) for one in events]

    def make_due(self) -> None:
        """Let the digest's hour have come."""
        self.ask("UPDATE held SET due_at = ?", f"{utc_now():%Y-%m-%d %H:%M:%S.%f}")

    def ask(self, query: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.data / "notify.db", timeout=30)) as db, db:
            return db.execute(query, values).fetchall()

    def is_done(self) -> bool:
        """Whether every bell was handled, and nothing is held back or pending any more."""
        self.make_due()
        ((bells, held, pending),) = self.ask(
            "SELECT (SELECT count(*) FROM bell), (SELECT count(*) FROM held),"
            " (SELECT count(*) FROM delivery WHERE state = 'pending')"
        )
        return (bells, held, pending) == (len(self.published), 0, 0)


async def _publish(data: Path, events: Any) -> None:
    log = EmbeddedEventLog(data / "log.db")
    await log.start()
    await log.publish([message_of(event, "test") for event in events])
    await log.close()


@contextmanager
def notify(data: Path, receiver: Receiver) -> Iterator[Notify]:
    """Run notify with a social worker, who hears at once, and a lead, who has a daily digest."""
    stack = Notify(data)
    subprocess.run([FIRSTBELL, "migrate", "notify"], env=stack.env, check=True)
    try:
        stack.start("notify")
        stack.wait_ready("notify")
        _directory(stack, receiver)
        yield stack
    finally:
        stack.stop()


def _directory(stack: Stack, receiver: Receiver) -> None:
    admin = stack.client("notify", "admin")
    for id, agency in AGENCIES.items():
        put(admin, f"/notify/v1/agencies/{id}", agency)
    for id in ("sam", "lea"):
        put(admin, f"/notify/v1/practitioners/{id}", PRACTITIONERS[id])
        body = {"practitioner": id, "url": receiver.url(f"/{id}")}
        made = admin.post("/notify/v1/endpoints", json=body)
        receiver.secrets[f"/{id}"] = made.raise_for_status().json()["secret"]
    put(admin, "/notify/v1/practitioners/lea/preferences", {"digest": "daily"})
    for upn in (ADA, BEN):
        works = {"involvements": [{"practitioner": "sam", **INVOLVEMENT}]}
        put(admin, f"/notify/v1/children/{upn}/involvements", works)


def kill_and_check(data: Path, kills: int, seed: int) -> Told:
    """Kill notify so often at random moments; return what was told, all of it right."""
    chance = random.Random(seed)
    with Receiver() as receiver, notify(data, receiver) as stack:
        for _ in range(kills):
            stack.ring()
            stack.live_and_die(chance.uniform(0, LIFE_MAX_S))
            stack.make_due()
        wait_for(stack.is_done, PATIENCE_S)
        check_told(stack, receiver)
        check_recorded(stack)
    ids = {got.webhook_id for got in receiver.received}
    digests = {one.webhook_id for one in receiver.received if one.body["type"] == "alert.digest"}
    return Told(len(ids), len(receiver.received) - len(ids), len(digests))


def check_told(stack: Notify, receiver: Receiver) -> None:
    """Each alert came under one id, whose repeats say the same; sequences have no gap."""
    first: dict[str, Any] = {}
    for got in receiver.received:
        assert got.verified
        same = (got.path, got.body)
        assert first.setdefault(got.webhook_id, same) == same, "a repeat says something else"
    notices = {id for id, severity in stack.published if severity == "notice"}
    for path, expected in (("/sam", {id for id, _ in stack.published}), ("/lea", notices)):
        bodies = [body for where, body in first.values() if where == path]
        told = Counter(part["bell"] for body in bodies for part in parts_of(body))
        assert told == Counter(expected), "lost, or told twice with another id"
        assert sorted(body["sequence"] for body in bodies) == list(range(1, len(bodies) + 1))


def check_recorded(stack: Notify) -> None:
    """The ledger is whole, says nothing twice, and knows of every delivery."""
    stack.wait_ready("notify")
    proof = stack.client("notify", "admin").get("/notify/v1/disclosures/verify").json()
    assert proof["ok"] is True, proof
    twice = stack.ask("SELECT id FROM disclosure_content GROUP BY id HAVING count(*) > 1")
    assert twice == []
    assert stack.ask("SELECT DISTINCT state FROM delivery") == [("delivered",)]
    told = stack.ask("SELECT body FROM delivery")
    records = stack.ask("SELECT record FROM disclosure_content")
    delivered = [one for (text,) in records if (one := json.loads(text))["decision"] == "delivered"]
    assert len(delivered) == sum(len(parts_of(json.loads(body))) for (body,) in told)


def main() -> None:
    """Kill as often as asked, and say what came of it."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1_000_000)
    typer.echo(f"{kills} kills, seed {seed}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = kill_and_check(Path(folder), kills, seed)
    took_s = time.monotonic() - began
    typer.echo(
        f"nothing lost, nothing twice: {told.messages} messages, {told.digests} of them digests,"
        f" {told.repeats} repeats under their own ids, the ledger whole; {took_s:.0f} s"
    )


if __name__ == "__main__":
    main()
