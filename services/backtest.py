"""`firstbell backtest`: changed rules beside those in force, over stored years; nobody is told."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DBAPIError

from libs.common.database import Database
from libs.common.settings import ServiceSettings
from services.risk import store
from services.risk.backtest import Window, compare, compared
from services.risk.backtest_tally import Tally
from services.risk.book import Book
from services.risk.rule_settings import RuleSet, rules_of

COLUMNS = (TextColumn("Schools"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class NotTested(Exception):
    """Why a backtest could not be run, and what would do."""


class Rules(NamedTuple):
    """Where a set of rules comes from: it is built anew in each process."""

    file: Path | None
    """Of parameters."""
    places: tuple[Path, ...] = ()
    """Of further rules."""

    def build(self) -> RuleSet:
        """Return the rules.

        Raises:
            RulesRefused: a file cannot be used.
        """
        return rules_of(self.file, self.places)


class Asked(NamedTuple):
    """What is compared, and where."""

    database_url: str
    current: Rules
    new: Rules
    window: Window

    def compared(self) -> tuple[RuleSet, RuleSet]:
        """Return the rules of either side whose bells can differ."""
        current, new = compared(self.current.build(), self.new.build())
        return tuple(current), tuple(new)


class Outcome(NamedTuple):
    """What came of it."""

    asked: Asked
    by_school: Mapping[str, Mapping[str, Tally]]
    """By URN, then by year group."""

    @property
    def total(self) -> Tally:
        """All schools together."""
        return sum(self.schools().values(), Tally())

    def schools(self) -> dict[str, Tally]:
        """Return each school's own, by URN."""
        return {urn: sum(groups.values(), Tally()) for urn, groups in self.by_school.items()}

    def year_groups(self) -> dict[str, Tally]:
        """Return each year group's own over all schools, youngest first."""
        found: dict[str, Tally] = {}
        for groups in self.by_school.values():
            for name, tally in groups.items():
                found[name] = found.get(name, Tally()) + tally
        return dict(sorted(found.items(), key=lambda one: _age(one[0])))


def asked_of(
    settings: ServiceSettings, file: Path | None, rule_files: Sequence[Path], window: Window
) -> Asked:
    """Return the question: the settings' rules beside the same ones with these files.

    Args:
        file: of parameters, in place of the one that the settings name; None: that one.
        rule_files: Python files of rules that join, or take the place of those of their kinds.
    """
    places = () if settings.rules_dir is None else (settings.rules_dir,)
    return Asked(
        settings.database_url,
        Rules(settings.rules, places),
        Rules(file or settings.rules, (*places, *rule_files)),
        window,
    )


def run(asked: Asked, urns: Sequence[str], console: Console) -> Outcome:
    """Compare in these schools, or in all that have marks, in as many processes as there are CPUs.

    Raises:
        NotTested: the rules do not differ, a school has no marks, or the database is not there.
        RulesRefused: a file of rules or of their parameters cannot be used.
    """
    if not any(asked.compared()):
        raise NotTested("the new rules are the rules in force: no bell can differ.")
    try:
        chosen = _chosen(asyncio.run(_schools(asked.database_url)), urns)
        with Progress(*COLUMNS, console=console) as progress:
            found = progress.track(_compared(asked, chosen), total=len(chosen), description="")
            return Outcome(asked, dict(zip(chosen, found, strict=True)))
    except DBAPIError as error:
        # Only what the driver says: the whole message would hold the statement.
        why = f"the database refuses: {error.orig}. Is it there, and migrated?"
        raise NotTested(why) from error
    except OSError as error:
        raise NotTested(f"the database cannot be reached: {error.strerror or error}") from error


def _compared(asked: Asked, urns: Sequence[str]) -> Iterator[dict[str, Tally]]:
    if len(urns) == 1:  # a process would cost more than the school
        yield _of_school(asked, urns[0])
        return
    # Spawned, not forked: a copy of a process with threads may wait for ever for their locks.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(_of_school, asked), urns)


def _of_school(asked: Asked, urn: str) -> dict[str, Tally]:
    book = asyncio.run(_book(asked.database_url, urn))
    return compare(book, *asked.compared(), asked.window)


async def _book(url: str, urn: str) -> Book:
    database = Database(url, "risk")
    try:
        async with database.reading() as db:
            return await store.read_book(db, urn, ())
    finally:
        await database.close()


async def _schools(url: str) -> list[str]:
    database = Database(url, "risk")
    try:
        async with database.reading() as db:
            return await store.schools_with_books(db)
    finally:
        await database.close()


def _chosen(known: Sequence[str], urns: Sequence[str]) -> list[str]:
    strange = sorted(set(urns) - set(known))
    if strange:
        raise NotTested(f"no marks are stored of {', '.join(strange)}; leave it out.")
    if not known:
        raise NotTested("no marks are stored of any school; push some registers first.")
    return sorted(set(urns)) or list(known)


def _age(year_group: str) -> tuple[int, str]:
    words: Iterable[str] = year_group.split()
    number = next((int(word) for word in words if word.isdigit()), None)
    if number is None:
        number = {"Nursery": -1, "Reception": 0}.get(year_group, 99)
    return number, year_group
