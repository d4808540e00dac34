"""Delivery: do sick receivers delay the well ones, and what does a delivery cost?

    .venv/bin/python -m bench.deliver [--endpoints 200] [--alerts 10000] [--turns 2]
        [--database sqlite | postgresql]

10,000 alerts, made by notify itself, go to 200 endpoints: 20 dead (half of them shut, half never
answering), 20 slow, 20 that answer 500 half the time. The sender of notify runs in a process of
its own, with its database; receivers are real ones on loopback. First the 140 that are well have
their 7,000 alerts alone, then all 200 theirs. All alerts are there when the sender starts, and
latency is counted from then. What is not delivered in the end is made a week old in the database,
and must then be dead with its reason. With other numbers the shares are the same.

Beside it a plain httpx loop signs and posts the same messages, to the same 140 receivers and to a
single one, and records nothing. Counted is the CPU time of the sender, of PostgreSQL where it takes
part (FIRSTBELL_TEST_POSTGRES, see `scripts/postgres-start`), and of the loop; not the receivers'.
All is run in turns, one after the other, and averaged: the machine may have other work.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from bench import alerts as made
from bench import arrived
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

SHARES = {Kind.WELL: 14, Kind.SLOW: 2, Kind.HALF: 2, Kind.SHUT: 1, Kind.MUTE: 1}
"""Of 20 endpoints."""
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


async def run(server: str | None, kinds: Sequence[Kind], each: int) -> Run:
    """Send so many alerts to each receiver of these kinds, until all are delivered or dead."""
    with receiving(kinds) as receivers, tenants.everything():
        async with made.database_of_its_own(server) as settings:
            database, vault = Database(settings.database_url, "notify"), Vault(settings)
            await made.make(database, vault, receivers.urls, each)
            await made.make_new(database)
            servers = {await postmaster(settings.database_url)} if server else set()
            used_s = -cpu_s(servers)
            with sending(settings) as sender:
                await _until_taken(receivers, kinds.count(Kind.WELL) * each)
                await _until_the_sick_alone_are_left(database, receivers, kinds)
                own_s = sender.end()
            used_s += cpu_s(servers)
            await _let_a_week_pass(database)
            came = receivers.arrivals()
            ends = await arrived.check(database, settings, came, kinds)
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


def main(
    endpoints: Annotated[int, typer.Option(help="A multiple of 20.")] = 200,
    alerts: Annotated[int, typer.Option(help="To all of them; an even number to each.")] = 10_000,
    turns: Annotated[int, typer.Option(help="In which all is run, one after the other.")] = 2,
    database: Annotated[
        Literal["", "sqlite", "postgresql"], typer.Option(help="That one alone.")
    ] = "",
) -> None:
    """Measure on every database there is, and print the tables."""
    if endpoints % 20 or alerts % (2 * endpoints):
        raise typer.BadParameter("20 endpoints or a multiple, and an even number of alerts to each")
    logs.configure("CRITICAL")  # what is not delivered is told of as an error, many times
    kinds = [kind for kind, share in SHARES.items() for _ in range(share * endpoints // 20)]
    console = Console(width=110)
    for name, server in made.databases(database):
        each = [_turn(server, kinds, alerts // endpoints) for _ in range(turns)]
        _show(console, name, each)


class Turn(NamedTuple):
    """The well ones alone, all of them, and the plain loop's CPU seconds by what it posted to."""

    alone: Run
    all: Run
    plain_cpu_s: dict[str, float]


def _turn(server: str | None, kinds: list[Kind], each: int) -> Turn:
    well = [kind for kind in kinds if kind is Kind.WELL]
    alone, all_ = (asyncio.run(run(server, some, each)) for some in (well, kinds))
    return Turn(alone, all_, dict(_plain(well, alone.messages)))


def _plain(well: Sequence[Kind], messages: list[Message]) -> Iterator[tuple[str, float]]:
    """Return what the plain loop took: to the same receivers, and at its best, to a single one."""
    with receiving(well) as receivers:
        new = dict(zip(sorted({one.url for one in messages}), receivers.urls, strict=True))
        moved = [one._replace(url=new[one.url]) for one in messages]
        yield "httpx, the same receivers", min(plain_cpu_s(moved, n) for n in AT_ONCE_PLAIN)
        moved = [one._replace(url=receivers.urls[0]) for one in messages]
        yield "httpx, one receiver", min(plain_cpu_s(moved, n) for n in AT_ONCE_PLAIN)


def _show(console: Console, name: str, turns: list[Turn]) -> None:
    waits = Table(
        "receivers", "median", "99th", "ratio", "in each turn", "delivered", "dead",
        title=f"How long the well ones wait, s; {name}, {len(turns)} turns",
    )  # fmt: skip
    base = [turn.alone.wait_s(99) for turn in turns]
    for who, runs in (
        ("the well ones alone", [turn.alone for turn in turns]),
        ("and the sick ones", [turn.all for turn in turns]),
    ):
        median, last = (sum(one.wait_s(part) for one in runs) for part in (50, 99))
        ratios = [f"{one.wait_s(99) / alone:.2f}" for one, alone in zip(runs, base, strict=True)]
        ends = [str(sum(one.ends[end] for one in runs)) for end in ("delivered", "dead")]
        cells = (
            f"{median / len(turns):.2f}",
            f"{last / len(turns):.2f}",
            f"{last / sum(base):.2f}",
        )
        waits.add_row(who, *cells, " ".join(ratios), *ends)
    costs = Table(
        "who sends", "deliveries a CPU-second", "Firstbell's rate beside it",
        title=f"What a delivery costs; {name}",
    )  # fmt: skip
    ours = sum(turn.alone.cpu_s + turn.alone.database_cpu_s for turn in turns)
    count = sum(len(turn.alone.messages) for turn in turns)
    used = {who: sum(turn.plain_cpu_s[who] for turn in turns) for who in turns[0].plain_cpu_s}
    for who, used_s in {**used, "Firstbell, all recorded": ours}.items():
        costs.add_row(who, f"{count / used_s:,.0f}", f"{used_s / ours:.2f}")
    for table in (waits, costs):
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
