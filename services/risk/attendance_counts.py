"""Pure: a school's marks as counts by week and by term, with arrays alone."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, AUTHORISED, LATE, POSSIBLE, UNAUTHORISED, Codes
from libs.common.school_day import day_of
from services.risk.attendance_terms import Term, term_of

Counts = NDArray[np.int64]
"""Sessions possible, attended, authorised, unauthorised, late; shape (5, …)."""

_TABLES = np.stack([POSSIBLE, POSSIBLE & ~ABSENT, AUTHORISED, UNAUTHORISED, LATE])


class Marks(NamedTuple):
    """One school's marks. S sessions, P pupils."""

    ordinals: NDArray[np.int64]
    """Sessions with a register, oldest first, shape (S,)."""
    codes: Codes
    """Code numbers, 0 for who was not on the roll, shape (S, P)."""


class Tally(NamedTuple):
    """One school's sessions, counted."""

    weeks: dict[date, Counts]
    """By Monday: the five counts, and the number of pupils with a possible session, shape (6,)."""
    terms: dict[Term, Counts]
    """By term: each pupil's counts, shape (5, P)."""
    pupils: int
    """P, those without a possible session included."""


def tally(marks: Marks) -> Tally:
    """Count one school's marks."""
    pupils = marks.codes.shape[1]
    if not len(marks.ordinals):
        return Tally({}, {}, pupils)
    # Bytes hold it: a pupil's week has 14 sessions at most.
    sessions = _TABLES[:, marks.codes].view(np.uint8)
    mondays, at = _runs(mondays_of(marks.ordinals))
    by_week = np.add.reduceat(sessions, at, axis=1, dtype=np.uint8)
    held = np.count_nonzero(by_week[0], axis=1)
    weekly = np.vstack([by_week.sum(axis=2, dtype=np.int64), held])
    terms = [term_of(day_of(o)) for o in marks.ordinals.tolist()]
    keys, at = _runs(np.array([t.academic_year * 3 + t.number for t in terms], np.int64))
    by_term = np.add.reduceat(sessions, at, axis=1, dtype=np.int64)
    return Tally(
        {date.fromordinal(m): weekly[:, n] for n, m in enumerate(mondays.tolist())},
        {Term(*divmod(key, 3)): by_term[:, n] for n, key in enumerate(keys.tolist())},
        pupils,
    )


def mondays_of(ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the proleptic day number of the Monday of each session's week."""
    days = ordinals // 2
    return days - (days - 1) % 7  # day 1 of the proleptic calendar was a Monday


def by_enrolment(tallies: Sequence[Tally]) -> dict[Term, Counts]:
    """Put the pupils of several schools side by side, shape (5, all P), term by term."""
    terms = sorted({term for one in tallies for term in one.terms})
    blank = {one.pupils: np.zeros((5, one.pupils), np.int64) for one in tallies}
    return {
        term: np.concatenate([one.terms.get(term, blank[one.pupils]) for one in tallies], axis=1)
        for term in terms
    }


def by_week(tallies: Sequence[Tally]) -> dict[date, Counts]:
    """Add up the weeks of several schools, oldest first, each of shape (6,)."""
    weeks: dict[date, Counts] = {}
    for one in tallies:
        for monday, counts in one.weeks.items():
            weeks[monday] = weeks[monday] + counts if monday in weeks else counts
    return dict(sorted(weeks.items()))


def _runs(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return each key of a sorted array once, and where its run begins."""
    at = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return keys[at], at
