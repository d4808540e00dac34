"""How long `firstbell backtest` takes over a school's year, and over an authority's.

    .venv/bin/python -m bench.backtest [SCHOOLS [FOLDER]]

Stores a made-up authority's year as risk keeps it, in FOLDER (a fresh one if none is named), and
compares a change of one emerging rule, so that all emerging rules run twice, and of one exact rule.
"""

import asyncio
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from libs.common import migrations
from libs.common.database import Database
from libs.common.events import CalendarSet, RollPupil
from libs.common.school_day import Session, ordinal_of, utc_now
from libs.common.settings import embedded
from libs.simulator import School, simulate
from services import backtest
from services.risk import store
from services.risk.backtest import Window
from services.risk.book import Book
from services.risk.enrolment import enrolment_of

YEAR = 2025
WINDOW = Window(date(YEAR, 9, 1), date(YEAR + 1, 7, 31))
CHANGES = {
    "an emerging rule": "[sudden-change]\nneeded = 7.5\n",
    "an exact rule": "[ten-days-unauthorised]\ndays_min = 8\n",
}


async def save(url: str, schools: tuple[School, ...]) -> None:
    """Store these schools' rolls, calendars and columns."""
    await migrations.upgrade("risk", url)
    database = Database(url, "risk")
    for school in schools:
        async with database.transaction() as db:
            await store.lock_book(db, school.urn)
            book, rows = Book(school.urn, ()), []
            for one in school.roll:
                pupil = msgspec.convert(one, RollPupil, strict=False)
                enrolment = enrolment_of(pupil)
                place = book.position_of(pupil.upn)
                rows.append(store.pupil_row(school.urn, pupil.upn, place, enrolment))
            await store.save_pupils(db, rows)
            await store.save_calendar(db, _calendar_of(school))
            sessions = [(day, half) for day in school.opening.days for half in Session]
            for (day, half), codes in zip(sessions, school.year.final, strict=True):
                if codes.any():
                    book.columns[ordinal_of(day, half)] = codes
            await store.save_columns(db, book, book.columns)
    await database.close()


def _calendar_of(school: School) -> CalendarSet:
    said = {"urn": school.urn, "academic_year": YEAR, "revision": 1, **school.calendar}
    return msgspec.convert({"occurred_at": utc_now(), **said}, CalendarSet)


def main() -> None:
    """Store, measure, and print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    settings = embedded(folder)
    schools = simulate(7, YEAR, count).schools
    if not (folder / "risk.db").exists():
        asyncio.run(save(settings.database_url, schools))
    pupils = {school.urn: len(school.pupils) for school in schools}
    largest = max(pupils, key=lambda urn: pupils[urn])
    table = Table("changed", "schools", "pupils", "seconds", title="A year, backtested")
    for name, text in CHANGES.items():
        (folder / "new.toml").write_text(text, encoding="utf-8")
        asked = backtest.asked_of(settings, folder / "new.toml", [], WINDOW)
        for urns in ([schools[0].urn], [largest], list(pupils)):
            began = time.perf_counter()
            backtest.run(asked, urns, Console(stderr=True))
            seconds = time.perf_counter() - began
            size = sum(pupils[urn] for urn in urns)
            table.add_row(name, str(len(urns)), str(size), f"{seconds:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
