"""Alone: a rule that looks at one pupil at a time, and is no shipped one, has a loop of its own.

A further file may offer a shipped rule under another kind, or a look of its own. The loops of
`services.risk.each_session` and `each_day` are made of the shipped rules; this one is compiled when
the rule is first run, and loaded from then on.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import Codes
from services.risk.compiled import kernel
from services.risk.fold import Column, PupilDay, PupilRule, PupilSession
from services.risk.pupil_days import PUPIL_DAY, Rows
from services.risk.signals import NOTHING, Signals
from services.risk.signs import DAY, SESSION
from services.risk.tallies import TALLY
from services.risk.usual import SCHOOL_DAY


class Remembered(NamedTuple):
    """State."""

    academic_year: int
    school_week: int
    pupils: Rows
    """Of the rule's `remembers`, shape (P,)."""
    rung: Signals


class Alone:
    """A `PupilRule` as a `SchoolRule`."""

    def __init__(self, rule: PupilRule) -> None:
        self._rule = rule
        self.heeds = DAY if rule.each_day else SESSION
        self._look = _loop_of(rule.look, rule.each_day, rule.remembers, rule.figures.dtype)

    def start(self, pupils: int) -> Remembered:
        """Return what the rule remembers before the first session."""
        return Remembered(0, 0, self._rule.start(pupils), NOTHING)

    def step(self, state: Remembered, column: Column) -> tuple[Remembered, Signals]:
        """Let the rule look at a session, or at the day that it completes."""
        year, week = column.academic_year, column.school_week
        new_year = year != state.academic_year
        rule, tallies = self._rule, np.ascontiguousarray(column.tallies)
        if not rule.each_day:
            seen = (column.codes, column.ordinal, week - state.school_week, new_year)
            pupils, changed = self._look(state.pupils, tallies, rule.figures, *seen)
        elif column.day is not None:
            day = column.day
            pupils, changed = self._look(
                state.pupils, tallies, rule.figures, day.pupils, day.school
            )
        else:
            return state, state.rung
        rung = rule.rung(pupils, year) if changed or new_year else state.rung
        return Remembered(year, week, pupils, rung), rung


@cache
def _loop_of(
    look: Callable[..., None], each_day: bool, remembers: Any, figures: Any
) -> Callable[..., tuple[Rows, bool]]:
    loop, seen = (
        (_days, (PUPIL_DAY, SCHOOL_DAY)) if each_day else (_sessions, (np.uint8, int, int, bool))
    )
    # A global name, not a closure: that is how compiled code is found again by the next process.
    named: Any = FunctionType(loop.__code__, {**globals(), "_look": look}, loop.__name__)
    named.__qualname__, named.__module__ = loop.__qualname__, __name__
    compiled: Callable[..., tuple[Rows, bool]] = kernel(remembers, TALLY, figures, *seen)(named)
    return compiled


_look: Any = None
"""The rule's, in the functions made of the next two."""


def _sessions(
    pupils: Rows,
    tallies: Rows,
    figures: Rows,
    codes: Codes,
    ordinal: int,
    weeks_passed: int,
    new_year: bool,
) -> tuple[Rows, bool]:
    after, changed = pupils.copy(), False
    for p in range(len(after)):
        seen = PupilSession(tallies[p], codes[p], ordinal, weeks_passed, new_year)
        _look(after[p], seen, figures[0])
        changed |= after[p].rings != pupils[p].rings
    return after, changed


def _days(
    pupils: Rows, tallies: Rows, figures: Rows, today: Rows, school: Rows
) -> tuple[Rows, bool]:
    after, changed = pupils.copy(), False
    for p in range(len(after)):
        _look(after[p], PupilDay(today[p], tallies[p], school[0]), figures[0])
        changed |= after[p].rings != pupils[p].rings
    return after, changed
