"""Delivery: do sick receivers delay the well ones, and what does a delivery cost?

    .venv/bin/python -m bench.deliver

10,000 alerts, made by notify itself, go to 200 endpoints: 20 dead (half of them shut, half never
answering), 20 slow, 20 that answer 500 half the time. The sender of notify runs in a process of
its own, with its database; receivers are real ones on loopback. First the 140 that are well have
their 7,000 alerts alone, then all 200 theirs. All alerts are there when the sender starts, and
latency is counted from then. What is not delivered in the end is made a week old in the database,
and must then be dead with its reason.

Beside it a plain httpx loop signs and posts the same messages to the same 140 receivers, and
records nothing. Counted is the CPU time of the sender, of PostgreSQL where it takes part
(FIRSTBELL_TEST_POSTGRES, see `scripts/postgres-start`), and of the loop; not the receivers'.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from bench import alerts, arrived
from bench.cpu import cpu_s, postmaster
from bench.receivers import Kind, Receivers, receiving
from bench.senders import Message, plain_cpu_s, sending
from libs.common import tenants
from libs.common.database import Database
from libs.common.school_day import utc_now
from services.notify import sharing_rules, undelivered
from services.notify.delivery import TRIED_FOR
from services.notify.rounds import AT_ONCE
from services.notify.secrets import Vault
from services.notify.tables import Delivery, Endpoint

WELL = [Kind.WELL] * 140
SICK = [Kind.SLOW] * 20 + [Kind.HALF] * 20 + [Kind.SHUT] * 10 + [Kind.MUTE] * 10
AT_ONCE_PLAIN = (1, 8)
"""How many the plain loop posts at once: the cheaper one counts."""
PATIENCE_S = 600.0


class Run(NamedTuple):
    """What came of a run: how long the well ones waited, in s, in order; CPU seconds; all sent."""

    waits_s: list[float]
    cpu_s: float
    database_cpu_s: float
    messages: list[Message]
    ends: dict[str, int]

    def wait_s(self, percent: float) -> float:
        """Return a percentile of the waits."""
        return self.waits_s[int((len(self.waits_s) - 1) * percent / 100)]


async def run(server: str | None, kinds: Sequence[Kind]) -> Run:
    """Send everything to receivers of these kinds, until all is delivered or dead."""
    with receiving(kinds) as receivers, tenants.everything():
        async with alerts.database_of_its_own(server) as settings:
            database, vault = Database(settings.database_url, "notify"), Vault(settings)
            await alerts.make(database, vault, receivers.urls)
            servers = {await postmaster(settings.database_url)} if server else set()
            used_s = -cpu_s(servers)
            with sending(settings) as sender:
                await _until_taken(receivers, kinds.count(Kind.WELL) * alerts.EACH)
                await _until_only_dead_are_left(database, receivers, kinds)
                own_s = sender.end()
            used_s += cpu_s(servers)
            await _let_a_week_pass(database)
            came = receivers.arrivals()
            ends = await arrived.check(database, settings, came)
            messages = await _messages(database, vault)
            await database.close()
    waits_s = arrived.waits_s(came, sender.began, kinds)
    return Run(waits_s, own_s, used_s, messages, ends)


async def _until_taken(receivers: Receivers, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if receivers.taken() >= count:
                return
            await asyncio.sleep(0.25)


async def _until_only_dead_are_left(
    database: Database, receivers: Receivers, kinds: Sequence[Kind]
) -> None:
    dead = [
        url
        for url, kind in zip(receivers.urls, kinds, strict=True)
        if kind in {Kind.SHUT, Kind.MUTE}
    ]
    pending = (
        select(func.count())
        .select_from(Delivery)
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(Delivery.state == "pending", Endpoint.address.not_in(dead))
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with database.reading() as db:
                if not await db.scalar(pending):
                    return
            await asyncio.sleep(0.5)


async def _let_a_week_pass(database: Database) -> None:
    """Make what is pending older than it is tried for, and end it as notify's own round does."""
    long = utc_now() - TRIED_FOR - undelivered.GRACE - timedelta(minutes=1)
    rules = sharing_rules.load()
    async with database.transaction() as db:
        await db.execute(
            update(Delivery).where(Delivery.state == "pending").values(pending_since=long)
        )
    while True:
        async with database.transaction() as db:
            due = await undelivered.overdue(db, utc_now(), AT_ONCE)
            for id in due:
                await undelivered.end(db, id, rules, utc_now())
        if not due:
            return


async def _messages(database: Database, vault: Vault) -> list[Message]:
    query = (
        select(Endpoint.address, Endpoint.secret, Delivery.id, Delivery.body)
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(Delivery.state == "delivered")
        .order_by(Delivery.number)
    )
    async with database.reading() as db:
        rows = await db.execute(query)
        return [Message(r.address, vault.open(r.secret), str(r.id), r.body) for r in rows]


def main() -> None:
    """Measure on every database there is, and print the tables."""
    waits = Table(
        "database", "receivers", "median", "99th", "ratio", "delivered", "dead",
        title="How long the well ones wait, s",
    )  # fmt: skip
    costs = Table(
        "database", "who sends", "deliveries a CPU-second", "ratio", "of it the database",
        title="What a delivery costs",
    )  # fmt: skip
    for name, server in alerts.databases():
        alone = asyncio.run(run(server, WELL))
        plain_s = _plain_s(alone.messages)
        beside = asyncio.run(run(server, WELL + SICK))
        for who, one in (("140 well", alone), ("and 60 sick", beside)):
            ratio = one.wait_s(99) / alone.wait_s(99)
            cells = (f"{one.wait_s(50):.2f}", f"{one.wait_s(99):.2f}", f"{ratio:.2f}")
            waits.add_row(name, who, *cells, *(str(one.ends[e]) for e in ("delivered", "dead")))
        count, whole_s = len(alone.messages), alone.cpu_s + alone.database_cpu_s
        costs.add_row(name, "a plain httpx loop", f"{count / plain_s:,.0f}", "1.0", "")
        share = f"{alone.database_cpu_s / whole_s:.0%}" if server else ""
        ratio = plain_s / whole_s
        costs.add_row(name, "Firstbell", f"{count / whole_s:,.0f}", f"{ratio:.2f}", share)
    console = Console(width=100)
    console.print(waits)
    console.print(costs)


def _plain_s(messages: list[Message]) -> float:
    with receiving(WELL) as receivers:
        new = dict(zip(sorted({one.url for one in messages}), receivers.urls, strict=True))
        moved = [one._replace(url=new[one.url]) for one in messages]
        return min(plain_cpu_s(moved, at_once) for at_once in AT_ONCE_PLAIN)


if __name__ == "__main__":
    main()
