"""Days: what rules on emerging patterns see of a whole school day, put together once for all.

A habit shows in days and spells, not in single sessions: an illness of three days is one event,
and a day on which half the school is away says little about a pupil. So the two sessions of a day
are read together, a pupil's absence is told apart into its beginning and its going on, and each day
says how much more absence began in the school, and in the pupil's year group, than usually does on
that weekday.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.habits import HABITS, remember_day, seen, weigh
from services.risk.pupil_days import AFTERNOON, Rows
from services.risk.usual import compare, start_usual
from services.risk.whole_school import WholeSchool

NO_GROUPS = np.zeros(0, np.uint8)


class Day(NamedTuple):
    """One complete school day. P is the number of pupils in the book."""

    weekday: int
    """0 is Monday."""
    pupils: Rows
    """Of `PUPIL_DAY`, shape (P,): `day.pupils["absent"]` is bool, shape (P,)."""


class Diary(NamedTuple):
    """State: the day that is being put together, and what is usual."""

    day: int
    """Number of the unfinished day (ordinal // 2), -1: none."""
    morning: Codes
    afternoon: Codes
    habits: Rows
    """Of `HABITS`, shape (P,)."""
    usual: Rows
    """Of `USUAL`, shape (2,): the school's, for hard and for soft absence."""
    days: int


def start_diary(pupils: int) -> Diary:
    """Return a diary before the first session."""
    blank = np.zeros(pupils, np.uint8)
    return Diary(-1, blank, blank, np.zeros(pupils, HABITS), start_usual(), 0)


def step_diary(
    diary: Diary,
    ordinal: int,
    codes: Codes,
    school: WholeSchool,
    year_groups: NDArray[np.uint8] | None = None,
) -> tuple[Diary, Day | None]:
    """Take a session's codes; return the day that it completes, if it does.

    An afternoon completes its day. A day whose afternoon never comes (the school was shut) is
    complete when the next day's first session comes.
    """
    number, half = divmod(ordinal, 2)
    if diary.day not in (-1, number):
        after, day = _complete(diary, school, year_groups)
        blank = np.zeros(len(codes), np.uint8)
        halves = (blank, codes) if half == AFTERNOON else (codes, blank)
        return after._replace(day=number, morning=halves[0], afternoon=halves[1]), day
    if half == AFTERNOON:
        morning = diary.morning if diary.day == number else np.zeros(len(codes), np.uint8)
        whole = diary._replace(day=number, morning=morning, afternoon=codes)
        return _complete(whole, school, year_groups)
    blank = np.zeros(len(codes), np.uint8)
    return diary._replace(day=number, morning=codes, afternoon=blank), None


def _complete(
    diary: Diary, school: WholeSchool, year_groups: NDArray[np.uint8] | None
) -> tuple[Diary, Day | None]:
    am, pm = diary.morning, diary.afternoon
    today, counted = seen(am, pm, diary.habits)
    if not counted:  # no register came at all: the day says nothing
        return diary._replace(day=-1), None
    weekday = (diary.day - 1) % 7
    groups = NO_GROUPS if year_groups is None else year_groups
    usual, times = compare(today, diary.usual, groups, weekday)
    weigh(today, diary.habits, diary.usual, times, groups, diary.days, school.mass)
    habits, days = remember_day(am, pm, diary.habits, today), diary.days + 1
    return Diary(-1, am, pm, habits, usual, days), Day(weekday, today)
