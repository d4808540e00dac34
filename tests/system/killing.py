"""Notify killed with SIGKILL at random moments under load, and what must hold afterwards.

    .venv/bin/python -m tests.system.killing [KILLS] [SEED] [--plant FAULT | --plant all]

Bells come in all the while: urgent ones, told at once, and notices that wait for a digest, which is
made due again and again, so that a kill falls between holding back and letting go too. The receiver
refuses a message now and then. Printed is the seed; the same one kills at the same times, though a
process is not always as far by then.

With `--plant` notify has a fault (of `tests.torture.planted`), and what is checked must find it: by
lost or doubled messages or a ledger that does not have them, and not by having waited in vain.
"""

import asyncio
import json
import random
import secrets
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import typer

from libs.common.event_records import message_of
from libs.common.eventlog_embedded import EmbeddedEventLog
from libs.common.school_day import utc_now
from services.notify.messages import parts_of
from tests.service.notify_app import ADA, AGENCIES, BEN, PRACTITIONERS, bell
from tests.system import dying
from tests.system.receiver import Receiver, Refusing
from tests.system.stack import FIRSTBELL, INVOLVEMENT, Stack, free_port, put, wait_for
from tests.torture import planted

KILLS = 100
LIFE_MAX_S = 6.0
"""The longest life: it takes a process a second or two to begin, and it may end before that."""
REFUSES = 0.2
"""The share of messages that the receiver answers with 503."""
PLANTED = ("new-id-each-time", "noted-before-sent", "gives-up", "unrecorded")
"""Faults to be found here, each with so many kills."""
PLANTED_KILLS = 8
BELLS = 8
"""Published before each life, half of them urgent."""
PATIENCE_S = 120.0


class Wrong(Exception):
    """What did not hold after the kills."""


def must(holds: bool, otherwise: str) -> None:
    """Hold it against them.

    Raises:
        Wrong: it does not hold.
    """
    if not holds:
        raise Wrong(otherwise)


class Told(NamedTuple):
    """What came to the two receivers."""

    messages: int
    repeats: int
    refused: int
    digests: int


class Notify(Stack):
    """Notify alone, on SQLite and the embedded log."""

    def __init__(self, data: Path, fault: str | None) -> None:
        super().__init__(data)
        self.fault = fault
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
        self.processes[name] = dying.started(name, command, self.data, self.env, self.fault)

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
def notify(data: Path, receiver: Receiver, fault: str | None) -> Iterator[Notify]:
    """Run notify with a social worker, who hears at once, and a lead, who has a daily digest."""
    stack = Notify(data, fault)
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


def kill_and_check(data: Path, kills: int, seed: int, fault: str | None = None) -> Told:
    """Kill notify so often at random moments; return what was told, all of it right.

    Raises:
        Wrong: it is not, as it should not with a fault planted.
    """
    chance = random.Random(seed)
    with Refusing(random.Random(seed), REFUSES) as receiver, notify(data, receiver, fault) as stack:
        (data / planted.STRUCK).touch()
        for _ in range(kills):
            stack.ring()
            stack.live_and_die(chance.uniform(0, LIFE_MAX_S))
            stack.make_due()
        wait_for(stack.is_done, PATIENCE_S)
        check_told(stack, receiver)
        check_recorded(stack)
    ids = {got.webhook_id for got in receiver.received}
    digests = {one.webhook_id for one in receiver.received if one.body["type"] == "alert.digest"}
    repeats = len(receiver.received) - len(ids)
    return Told(len(ids), repeats, len(receiver.refused), len(digests))


def check_told(stack: Notify, receiver: Refusing) -> None:
    """Each alert came under one id, whose repeats say the same; sequences have no gap."""
    first: dict[str, Any] = {}
    ids: dict[tuple[str, int], str] = {}
    for got in (*receiver.received, *receiver.refused):
        must(got.verified, "a signature is not right")
        same = (got.path, got.body)
        must(first.setdefault(got.webhook_id, same) == same, "a repeat says something else")
        place = (got.path, got.body["sequence"])
        must(ids.setdefault(place, got.webhook_id) == got.webhook_id, "told with another id")
    taken = {got.webhook_id for got in receiver.received}
    must(taken == set(first), "lost: refused, and never told again")
    notices = {id for id, severity in stack.published if severity == "notice"}
    for path, expected in (("/sam", {id for id, _ in stack.published}), ("/lea", notices)):
        bodies = [body for where, body in first.values() if where == path]
        told = Counter(part["bell"] for body in bodies for part in parts_of(body))
        must(told.keys() == expected, f"{len(expected - told.keys())} bells lost")
        must(told == Counter(expected), "told twice with another id")
        sequences = sorted(body["sequence"] for body in bodies)
        must(sequences == list(range(1, len(bodies) + 1)), "a sequence has gaps")


def check_recorded(stack: Notify) -> None:
    """The ledger is whole, says nothing twice, and knows of every delivery."""
    stack.wait_ready("notify")
    proof = stack.client("notify", "admin").get("/notify/v1/disclosures/verify").json()
    must(proof["ok"] is True, f"the ledger is not whole: {proof}")
    twice = stack.ask("SELECT id FROM disclosure_content GROUP BY id HAVING count(*) > 1")
    must(twice == [], "the ledger says something twice")
    states = stack.ask("SELECT DISTINCT state FROM delivery")
    must(states == [("delivered",)], f"messages ended otherwise: {states}")
    told = stack.ask("SELECT id, body FROM delivery")
    texts = stack.ask("SELECT record FROM disclosure_content")
    records = [json.loads(text) for (text,) in texts]
    recorded = Counter(
        (one["delivery"], one["bell"]) for one in records if one["decision"] == "delivered"
    )
    expected = Counter(
        (str(UUID(id)), part["bell"]) for id, body in told for part in parts_of(json.loads(body))
    )
    must(recorded == expected, "the ledger does not have each delivery once")


def main(
    kills: Annotated[int | None, typer.Argument()] = None,
    seed: Annotated[int | None, typer.Argument()] = None,
    plant: Annotated[str, typer.Option(help="A fault that must be found, or all.")] = "",
) -> None:
    """Kill as often as asked, and say what came of it; exit with 1 if a fault is not found."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    if not plant:
        _run(kills or KILLS, seed)
        return
    faults = PLANTED if plant == "all" else (plant,)
    found = [_is_found(fault, kills or PLANTED_KILLS, seed) for fault in faults]
    raise typer.Exit(int(not all(found)))


def _run(kills: int, seed: int) -> None:
    typer.echo(f"{kills} kills, seed {seed}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = kill_and_check(Path(folder), kills, seed)
    took_s = time.monotonic() - began
    typer.echo(
        f"nothing lost, nothing twice: {told.messages} messages, {told.digests} of them digests,"
        f" {told.refused} refusals and {told.repeats} repeats under their own ids, the ledger"
        f" whole; {took_s:.0f} s"
    )


def _is_found(fault: str, kills: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            kill_and_check(Path(folder), kills, seed, fault)
        except Wrong as wrong:
            typer.echo(f"planted {fault}: found: {wrong}")
            return True
    typer.echo(f"planted {fault}: NOT FOUND in {kills} kills, seed {seed}")
    return False


if __name__ == "__main__":
    typer.run(main)
