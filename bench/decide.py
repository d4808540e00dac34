"""What one bell costs notify: who is told is found, each field decided, and the ledger written.

    .venv/bin/python -m bench.decide

CPU time of this process, on SQLite: a bell for five recipients of five roles, in a directory of
many schools, each bell in a transaction of its own. Beside it, the same with every policy and
entity parsed anew for each bell; and all that a bell's coming does, alerts and messages too, one by
one and many in one transaction, as on a morning.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import structlog
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.children import AT, URN, bell_of, roll_of, upn_of
from libs.common import migrations
from libs.common.database import Database
from libs.common.events import BellChanged
from services.notify import directory_store, ledger, sharing_rules
from services.notify.bells import Notifier
from services.notify.noise import Noise
from services.notify.sharing import Policies
from services.notify.tables import Disclosure, Involvements, Practitioner
from services.notify.telling import Telling

SCHOOLS = (1, 500)
BELLS = 200
TOGETHER = 50
UPNS = [upn_of(number) for number in range(BELLS)]
WORKERS = (
    ("sam", "social_worker", "looked_after"),
    ("yan", "youth_justice_worker", "youth_justice"),
    ("pat", "police_contact", "missing_or_exploitation_risk"),
)


def _agency(id: str, kind: str, urns: list[str], la: str | None = None) -> dict[str, Any]:
    return {"id": id, "name": id, "kind": kind, "urns": urns, "la": la}


def _person(id: str, agency: str, role: str) -> dict[str, Any]:
    return {"id": id, "name": id, "agency": agency, "roles": [role], "email": None}


async def _fill(database: Database, schools: int) -> None:
    urns = [str(int(URN) + n) for n in range(schools)]
    agencies = [_agency(f"school-{urn}", "school", [urn]) for urn in urns]
    agencies += [_agency(a, k, []) for a, k in (("care", "social_care"), ("yot", "youth_justice"))]
    agencies += [_agency("police", "police", []), _agency("la", "local_authority", urns, "330")]
    roles = ("safeguarding_lead", "attendance_lead", "headteacher")
    people = [_person(f"{role}-{urn}", f"school-{urn}", role) for urn in urns for role in roles]
    places = dict(zip((w[0] for w in WORKERS), ("care", "yot", "police"), strict=True))
    people += [_person(id, places[id], role) for id, role, _ in WORKERS]
    people += [_person("vic", "la", "virtual_school_head")]
    works = [
        {"practitioner": id, "role": role, "footing": footing, "from": "2026-01-01", "to": None}
        | ({"at_once": True} if id == "pat" else {})
        for id, role, footing in WORKERS
    ]
    children = [{"upn": upn, "revision": 1, "involvements": works} for upn in UPNS]
    async with database.transaction() as db:
        await directory_store.save_agencies(db, agencies)
        for table, rows in ((Practitioner, people), (Involvements, children)):
            await db.execute(insert(table), rows)


Work = Callable[[AsyncConnection, Notifier, list[BellChanged]], Awaitable[None]]


async def decide_and_record(
    db: AsyncConnection, notifier: Notifier, events: list[BellChanged]
) -> None:
    """Decide for every recipient, and write the ledger."""
    for event in events:
        bell = msgspec.to_builtins(event.bell)
        out = Telling(AT, notifier.rules.version, {}, Noise(AT))
        for one in await notifier.decide(db, bell):
            out.record(bell, one, event.id, event.change)
        await ledger.append(db, out.records)


async def tell_too(db: AsyncConnection, notifier: Notifier, events: list[BellChanged]) -> None:
    """Do all that a bell's coming does: alerts and messages too."""
    await notifier.handle(db, events)


async def _parsed_for_each(
    db: AsyncConnection, notifier: Notifier, events: list[BellChanged]
) -> None:
    notifier.rules = replace(notifier.rules, policies=Policies())
    await decide_and_record(db, notifier, events)


async def _cost_ms(schools: int, work: Work, together: int = 1) -> float:
    """Return the median CPU time of a bell, in ms, with so many in one transaction."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/{{service}}.db"
        await migrations.upgrade("notify", url)
        database = Database(url, "notify")
        await _fill(database, schools)
        notifier = Notifier(sharing_rules.load())
        async with database.transaction() as db:
            await notifier.handle(db, [roll_of(UPNS, "330")])
        times = []
        for first in range(0, BELLS, together):
            rung = [bell_of(UPNS[number], number) for number in range(first, first + together)]
            began = time.process_time()
            async with database.transaction() as db:
                await work(db, notifier, rung)
            times.append((time.process_time() - began) * 1000 / together)
        async with database.reading() as db:
            records = await db.scalar(select(func.count()).select_from(Disclosure))
        await database.close()
    if records != 5 * BELLS:
        raise SystemExit(f"{records} records for {BELLS} bells: five each were expected")
    return statistics.median(times)


def main() -> None:
    """Measure, and print the table; what is logged is written as ever, to nowhere."""
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
        Console(width=110).print(_measured())


def _measured() -> Table:
    table = Table(
        "schools", "decided, recorded", "policies parsed each time", "ratio", "told too",
        f"told too, {TOGETHER} together", title="One bell for five recipients, ms of CPU",
    )  # fmt: skip
    for schools in SCHOOLS:
        once = asyncio.run(_cost_ms(schools, decide_and_record))
        anew = asyncio.run(_cost_ms(schools, _parsed_for_each))
        told = asyncio.run(_cost_ms(schools, tell_too))
        many = asyncio.run(_cost_ms(schools, tell_too, TOGETHER))
        cells = (f"{once:.2f}", f"{anew:.2f}", f"{anew / once:.1f}", f"{told:.2f}", f"{many:.2f}")
        table.add_row(str(schools), *cells)
    return table


if __name__ == "__main__":
    main()
