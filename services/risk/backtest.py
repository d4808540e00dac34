"""Pure: a school's stored years under two sets of rules, and how their bells differ.

The marks are taken as they stand now: a bell that a correction has since withdrawn is in neither.
What rings by the clock (`register-missing`) is in no marks, and in neither.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from libs.common.school_day import Session, academic_year_of, day_of, ordinal_of
from services.risk.backtest_crossing import Crossings, PupilYear
from services.risk.backtest_pairs import Rung, pairs_of
from services.risk.backtest_tally import Tally
from services.risk.book import Book
from services.risk.fold import SCHOOL, Ints, Rule
from services.risk.progress import Fold, Progress

THE_SCHOOL, NOT_KNOWN = "the school itself", "not known"

RuleSet = Sequence[Rule]


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
        within = next((one for one in pair if one and window.has(one.since)), None)
        if within is not None:
            year = academic_year_of(day_of(within.since))
            group = tallies[group_of(book, within.pupil, year)]
            group.note(pair, lambda rung: window.has(rung.since))
    warned = [_first_of_year(side) for side in sides]
    for who, ordinal in folded.crossed.items():
        if window.has(ordinal):
            day = _day_number(book, ordinal)
            tallies[group_of(book, *who)].note_crossing(day, *(days.get(who) for days in warned))
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
    """Ordinal of the session with which a pupil came to 10 %."""


def _fold(book: Book, sets: Sequence[RuleSet], window: Window) -> _Folded:
    pupils = len(book.upns)
    crossings = Crossings(pupils)
    folds = [Fold(rules) for rules in sets]
    folded = _Folded([fold.begin(pupils) for fold in folds], {}, crossings.found)
    for column in book.columns_until(ordinal_of(window.last, Session.pm)):
        folded.progress[:] = [
            fold.advance(progress, column)
            for fold, progress in zip(folds, folded.progress, strict=True)
        ]
        crossings.take(column)
        if window.has(column.ordinal):
            none = np.zeros(pupils, np.int32)
            marked = folded.marked.setdefault(column.academic_year, none)
            marked += column.codes != 0
    crossings.end()
    return folded


def _rung(book: Book, rules: RuleSet, progress: Progress) -> list[Rung]:
    return [
        Rung(rule.kind, pupil, anchor, one.since, _day_number(book, one.since), rule.emerging)
        for rule, found in zip(rules, progress.episodes, strict=True)
        for (pupil, anchor), one in found.items()
    ]


def _day_number(book: Book, ordinal: int) -> int:
    sessions = book.sessions()
    return int(sessions.school_days[bisect_left(sessions.ordinals, ordinal)])


def _first_of_year(rung: Iterable[Rung]) -> dict[PupilYear, int]:
    """Return the number of the school day of each pupil's first bell in each academic year."""
    first: dict[PupilYear, int] = {}
    for one in rung:
        key = (one.pupil, academic_year_of(day_of(one.since)))
        first[key] = min(one.day, first.get(key, one.day))
    return first
