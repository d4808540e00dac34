"""Pure: a school's stored years under two sets of rules, and how their bells differ.

The marks are taken as they stand now: a bell that a correction has since withdrawn is in neither.
What rings by the clock (`register-missing`) is in no marks, and in neither.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from libs.common.school_day import Session, academic_year_of, day_of, ordinal_of
from services.risk.backtest_pairs import Rung, pairs_of
from services.risk.backtest_tally import Tally
from services.risk.book import Book
from services.risk.fold import SCHOOL, Ints, Progress, Rule, advance, begin
from services.risk.rules.rates import PERSISTENT

CROSSING = replace(PERSISTENT, possible_min=40)
"""A pupil comes to 10 % after four weeks of school or later, as in `services.risk.trial`."""
THE_SCHOOL, NOT_KNOWN = "the school itself", "not known"

RuleSet = Sequence[Rule[Any]]
PupilYear = tuple[int, int]
"""A pupil's position in the book, and the calendar year in which an academic year began."""


class Window(NamedTuple):
    """The days whose bells are counted, both ends included."""

    first: date
    last: date

    def has(self, ordinal: int) -> bool:
        """Whether a session lies within."""
        return self.first <= day_of(ordinal) <= self.last


def compared(current: RuleSet, new: RuleSet) -> tuple[RuleSet, RuleSet]:
    """Return the rules of either set whose bells can differ from those of the other.

    Emerging rules share a pupil's story: where one differs, all are compared.
    """
    both = [*current, *new]
    differ = {rule.kind for rule in both if rule not in current or rule not in new}
    if any(rule.emerging for rule in both if rule.kind in differ):
        differ |= {rule.kind for rule in both if rule.emerging}
    return (
        [rule for rule in current if rule.kind in differ],
        [rule for rule in new if rule.kind in differ],
    )


def compare(book: Book, current: RuleSet, new: RuleSet, window: Window) -> dict[str, Tally]:
    """Return what came of two sets of rules in a school, by year group.

    Both begin with the school's first mark: what is usual before the window is known in it. Bells
    of the school itself are under `THE_SCHOOL`, pupils whose year group is not known under
    `NOT_KNOWN`.
    """
    folded = _fold(book, (current, new), window)
    sides = [_rung(book, *one) for one in zip((current, new), folded.progress, strict=True)]
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for year, marked in folded.marked.items():
        for pupil in np.flatnonzero(marked).tolist():
            tallies[group_of(book, pupil, year)].pupil_sessions += int(marked[pupil])
    for pair in pairs_of(*sides):
        within = [one for one in pair if one and window.has(one.since)]
        for one in within[:1]:
            year = academic_year_of(day_of(one.since))
            tallies[group_of(book, one.pupil, year)].note(pair, lambda r: window.has(r.since))
    first = [_first_of_year(side) for side in sides]
    for who, day in folded.crossed.items():
        tally = tallies[group_of(book, *who)]
        tally.crossing += 1
        for warned, days in zip((tally.warned_current, tally.warned_new), first, strict=True):
            if who in days and days[who] < day:
                warned[day - days[who]] += 1
    return dict(tallies)


def group_of(book: Book, pupil: int, academic_year: int) -> str:
    """Return in words the year group that a pupil was in."""
    if pupil == SCHOOL:
        return THE_SCHOOL
    number = book.year_group_of(pupil, academic_year)
    if number is None:
        return NOT_KNOWN
    return f"Year {number}" if number > 0 else "Reception" if number == 0 else "Nursery"


class _Folded(NamedTuple):
    progress: list[Progress]
    """Of each set of rules, after the window."""
    marked: dict[int, Ints]
    """By academic year: each pupil's sessions with a mark in the window, shape (P,)."""
    crossed: dict[PupilYear, int]
    """Number of the school day in the window on which 10 % was missed."""


def _fold(book: Book, sets: Sequence[RuleSet], window: Window) -> _Folded:
    pupils = len(book.upns)
    folded = _Folded([begin(rules, pupils) for rules in sets], {}, {})
    so_far, above = CROSSING.start(pupils), set[PupilYear]()
    for column in book.columns_until(ordinal_of(window.last, Session.pm)):
        folded.progress[:] = [
            advance(*one, column) for one in zip(sets, folded.progress, strict=True)
        ]
        so_far, rung = CROSSING.step(so_far, column)
        year = column.academic_year
        came = {(pupil, year) for pupil in rung.pupils.tolist()} - above
        above |= came
        if window.has(column.ordinal):
            folded.crossed.update(dict.fromkeys(came, column.school_day))
            marked = folded.marked.setdefault(year, np.zeros(pupils, np.int32))
            marked += column.codes != 0
    return folded


def _rung(book: Book, rules: RuleSet, progress: Progress) -> list[Rung]:
    sessions = book.sessions()

    def day_number(ordinal: int) -> int:
        return int(sessions.school_days[bisect_left(sessions.ordinals, ordinal)])

    return [
        Rung(rule.kind, pupil, anchor, one.since, day_number(one.since), rule.emerging)
        for rule, found in zip(rules, progress.episodes, strict=True)
        for (pupil, anchor), one in found.items()
    ]


def _first_of_year(rung: Iterable[Rung]) -> dict[PupilYear, int]:
    """Return the number of the school day of each pupil's first bell in each academic year."""
    first: dict[PupilYear, int] = {}
    for one in rung:
        key = (one.pupil, academic_year_of(day_of(one.since)))
        first[key] = min(one.day, first.get(key, one.day))
    return first
