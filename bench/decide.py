"""What one bell costs notify: who is told is found, each field decided, and the ledger written.

    .venv/bin/python -m bench.decide

CPU time of this process, on SQLite: a bell for five recipients of five roles, in a directory of
many schools, each bell in a transaction of its own. Beside it, the same with every policy and
entity parsed anew for each bell.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, insert, select

from libs.common import migrations
from libs.common.database import Database
from libs.common.events import Bell, BellChanged, RollChanged, RollPupil
from libs.common.identifiers import check_letter, id_of
from services.notify import sharing_rules
from services.notify.bells import Notifier
from services.notify.sharing import Policies
from services.notify.tables import Agency, Disclosure, Involvements, Practitioner

SCHOOLS = (1, 500)
BELLS = 200
URN = 100000
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
UPNS = [check_letter(f"801200{n:06d}") + f"801200{n:06d}" for n in range(BELLS)]
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
    urns = [str(URN + n) for n in range(schools)]
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
        for table, rows in ((Agency, agencies), (Practitioner, people), (Involvements, children)):
            await db.execute(insert(table), rows)


def _roll() -> RollChanged:
    pupils = [
        RollPupil(
            upn=upn,
            given_name="Given",
            family_name="Family",
            date_of_birth=date(2014, 1, 1),
            year_group="7",
            entered_on=date(2025, 9, 1),
            home_la="330",
            identifiers={"social_care": "S-1", "police": "P-1", "youth_justice": "Y-1"},
        )
        for upn in UPNS
    ]
    return RollChanged(occurred_at=AT, urn=str(URN), revision=1, pupils=pupils)


def _rung(number: int) -> BellChanged:
    marks = [{"date": "2026-11-24", "session": half, "code": "N"} for half in ("am", "pm")]
    bell = Bell(
        id=id_of("bench bell", number),
        urn=str(URN),
        upn=UPNS[number],
        kind="unexplained-absence",
        severity="urgent",
        status="ringing",
        raised_on=AT.date(),
        raised_at=AT + timedelta(seconds=number),
        explanation="Absent and no reason is known yet (code N). The child has a social worker.",
        evidence={"sessions": marks},
        rule={"name": "unexplained-absence", "version": "1", "source": "guidance"},
    )
    return BellChanged(occurred_at=AT, change="raised", sequence=1, bell=bell)


async def _cost_ms(schools: int, before: Callable[[Notifier], None]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/{{service}}.db"
        await migrations.upgrade("notify", url)
        database = Database(url, "notify")
        await _fill(database, schools)
        notifier = Notifier(sharing_rules.load())
        async with database.transaction() as db:
            await notifier.handle(db, [_roll()])
        times = []
        for number in range(BELLS):
            began = time.process_time()
            before(notifier)
            async with database.transaction() as db:
                await notifier.handle(db, [_rung(number)])
            times.append((time.process_time() - began) * 1000)
        async with database.reading() as db:
            records = await db.scalar(select(func.count()).select_from(Disclosure))
        await database.close()
    if records != 5 * BELLS:
        raise SystemExit(f"{records} records for {BELLS} bells: five each were expected")
    return statistics.median(times)


def _as_it_is(_: Notifier) -> None:
    return


def _parsed_anew(notifier: Notifier) -> None:
    notifier.rules = replace(notifier.rules, policies=Policies())


def main() -> None:
    """Measure, and print the table."""
    table = Table(
        "schools in the directory", "parsed once, ms", "parsed for each bell, ms", "ratio",
        title="One bell for five recipients: decided and recorded, CPU",
    )  # fmt: skip
    for schools in SCHOOLS:
        once = asyncio.run(_cost_ms(schools, _as_it_is))
        anew = asyncio.run(_cost_ms(schools, _parsed_anew))
        table.add_row(str(schools), f"{once:.2f}", f"{anew:.2f}", f"{anew / once:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
