"""Delivery: do sick receivers delay the well ones, and what does a delivery cost?

    .venv/bin/python -m bench.deliver

10,000 alerts, made by notify itself, go to 200 endpoints: 20 dead (half of them shut, half never
answering), 20 slow, 20 that answer 500 half the time. The sender of notify runs in a process of
its own, with its database; receivers are real ones on loopback. First the 140 that are well have
their 7,000 alerts alone, then all 200 theirs. All alerts are there when the sender starts, and
latency is counted from then. What is not delivered in the end is made a week old in the database,
and must then be dead with its reason.

Beside it a plain httpx loop signs and posts the same messages, to the same 140 receivers and to a
single one, and records nothing. Counted is the CPU time of the sender, of PostgreSQL where it takes
part (FIRSTBELL_TEST_POSTGRES, see `scripts/postgres-start`), and of the loop; not the receivers'.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from bench import alerts, arrived
from bench.cpu import cpu_s, postmaster
from bench.receivers import Kind, Receivers, receiving
from bench.senders import Message, plain_cpu_s, sending
from libs.common import logs, tenants
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
TURNS = 2
"""In which both are run one after the other: the machine may have other work."""
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
            await alerts.make_new(database)
            servers = {await postmaster(settings.database_url)} if server else set()
            used_s = -cpu_s(servers)
            with sending(settings) as sender:
                await _until_taken(receivers, kinds.count(Kind.WELL) * alerts.EACH)
                await _until_the_sick_alone_are_left(database, receivers, kinds)
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


async def _until_the_sick_alone_are_left(
    database: Database, receivers: Receivers, kinds: Sequence[Kind]
) -> None:
    """Wait until the well ones' messages are recorded, and the slow ones have theirs."""
    in_time = [
        url
        for url, kind in zip(receivers.urls, kinds, strict=True)
        if kind in {Kind.WELL, Kind.SLOW}
    ]
    pending = (
        select(func.count())
        .select_from(Delivery)
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(Delivery.state == "pending", Endpoint.address.in_(in_time))
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
    logs.configure("CRITICAL")  # what is not delivered is told of as an error, many times
    waits = Table(
        "database", "receivers", "median", "99th", "ratio", "delivered", "dead",
        title="How long the well ones wait, s",
    )  # fmt: skip
    costs = Table(
        "database", "who sends", "deliveries a CPU-second", "ratio", title="What a delivery costs"
    )
    for name, server in alerts.databases():
        both = [asyncio.run(_both(server)) for _ in range(TURNS)]
        base = sum(alone.wait_s(99) for alone, _ in both)
        for who, runs in zip(("140 well", "and 60 sick"), zip(*both, strict=True), strict=True):
            median, last = (sum(one.wait_s(part) for one in runs) for part in (50, 99))
            ends = [str(sum(one.ends[end] for one in runs)) for end in ("delivered", "dead")]
            cells = (f"{median / TURNS:.2f}", f"{last / TURNS:.2f}", f"{last / base:.2f}")
            waits.add_row(name, who, *cells, *ends)
        alone = [one for one, _ in both]
        ours = sum(one.cpu_s + one.database_cpu_s for one in alone) / TURNS
        count = len(alone[0].messages)
        for who, used_s in (*_plain_s(alone[0].messages), ("Firstbell, all recorded", ours)):
            costs.add_row(name, who, f"{count / used_s:,.0f}", f"{used_s / ours:.2f}")
    console = Console(width=110)
    console.print(waits)
    console.print(costs)


async def _both(server: str | None) -> tuple[Run, Run]:
    return await run(server, WELL), await run(server, WELL + SICK)


def _plain_s(messages: list[Message]) -> Iterator[tuple[str, float]]:
    """Return what the plain loop took: to the same receivers, and at its best, to a single one."""
    with receiving(WELL) as receivers:
        new = dict(zip(sorted({one.url for one in messages}), receivers.urls, strict=True))
        moved = [one._replace(url=new[one.url]) for one in messages]
        yield "httpx, the same receivers", min(plain_cpu_s(moved, n) for n in AT_ONCE_PLAIN)
        moved = [one._replace(url=receivers.urls[0]) for one in messages]
        yield "httpx, one receiver", min(plain_cpu_s(moved, n) for n in AT_ONCE_PLAIN)


if __name__ == "__main__":
    main()
