"""Columns from strings that one can read: a character a session, am and pm in turn.

Codes of two characters have a letter of their own: `4` is Y4. A space is no mark. A present mark is
`/` in either half.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from libs.common.codes import NUMBERS
from libs.common.school_day import Session, academic_year_of, ordinal_of
from services.risk.fold import Column, Finding, PupilRecord, Rule, SchoolRecord, column_of
from services.risk.progress import Fold, Progress
from services.risk.whole_school import SUDDEN

MONDAY = date(2026, 9, 7)
NUMBER = {" ": 0, "4": NUMBERS["Y4"], **{c: n for c, n in NUMBERS.items() if len(c) == 1}}


class Marks(NamedTuple):
    """What a rule is stepped over."""

    pupils: Sequence[str]
    start: date = MONDAY
    closed: Sequence[date] = ()
    worker: int = 0


def columns(marks: Marks) -> list[Column]:
    days = school_days(marks.start, marks.closed, max(map(len, marks.pupils)))
    weeks = sorted({(day.toordinal() - 1) // 7 for day in days})
    made = []
    for n in range(max(map(len, marks.pupils))):
        day = days[n // 2]
        codes = [NUMBER[p[n]] if n < len(p) else 0 for p in marks.pupils]
        column = column_of(
            np.array(codes, np.uint8),
            ordinal=ordinal_of(day, Session.pm if n % 2 else Session.am),
            school_day=n // 2,
            school_week=weeks.index((day.toordinal() - 1) // 7),
            academic_year=academic_year_of(day),
            worker=np.full(len(codes), marks.worker, np.uint8),
        )
        made.append(column)
    return made


def school_days(start: date, closed: Iterable[date], sessions: int) -> list[date]:
    days: list[date] = []
    day = start
    while len(days) * 2 < sessions + 2:
        if day.weekday() < 5 and day not in closed:
            days.append(day)
        day += timedelta(days=1)
    return days


def fold(rules: Sequence[Rule], marks: Marks) -> list[Progress]:
    """Return the progress after each session."""
    folding = Fold(rules)
    progress = folding.begin(len(marks.pupils))
    seen = []
    for column in columns(marks):
        progress = folding.advance(progress, column)
        seen.append(progress)
    return seen


def rings(rule: Rule, marks: Marks | str) -> list[bool]:
    """Return after each session whether the first pupil's bell rings."""
    marks = Marks([marks]) if isinstance(marks, str) else marks
    return [0 in p.ringing[0].pupils for p in fold([rule], marks)]


def first_ring(rule: Rule, marks: Marks | str) -> int | None:
    """Return how many sessions had been taken when the first pupil's bell first rang, or None."""
    rung = rings(rule, marks)
    return rung.index(True) + 1 if True in rung else None


def finding(rule: Rule, marks: Marks | str) -> Finding:
    """Return how the rule explains the first pupil's latest bell."""
    marks = Marks([marks]) if isinstance(marks, str) else marks
    taken = columns(marks)
    anchor = max(a for p, a in fold([rule], marks)[-1].episodes[0] if p == 0)
    return rule.explain(
        PupilRecord(
            np.array([c.ordinal for c in taken], np.int64),
            np.array([c.school_day for c in taken], np.int32),
            np.array([c.school_week for c in taken], np.int32),
            np.array([c.codes[0] for c in taken], np.uint8),
        ),
        anchor,
    )


def school_record(taken: Sequence[Column]) -> SchoolRecord:
    """Return what a rule on schools explains itself by."""
    return SchoolRecord(
        np.array([c.ordinal for c in taken], np.int64),
        np.array([np.count_nonzero(SUDDEN[c.codes]) for c in taken], np.int32),
        np.array([np.count_nonzero(c.possible) for c in taken], np.int32),
    )
