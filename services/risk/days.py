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
from services.risk.compiled import kernel
from services.risk.habits import HABITS, remember_day, seen, weigh
from services.risk.pupil_days import AFTERNOON, Rows
from services.risk.usual import USUAL, compare, start_usual
from services.risk.whole_school import WholeSchool

NO_DAY = -1
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
    """Number of the unfinished day (ordinal // 2); `NO_DAY`: none."""
    morning: Codes
    afternoon: Codes
    """No marks before it has come."""
    habits: Rows
    """Of `HABITS`, shape (P,)."""
    usual: Rows
    """Of `USUAL`, shape (2,): the school's, for hard and for soft absence."""
    days: int
    blank: Codes
    """A session without marks."""


def start_diary(pupils: int) -> Diary:
    """Return a diary before the first session."""
    blank = np.zeros(pupils, np.uint8)
    return Diary(NO_DAY, blank, blank, np.zeros(pupils, HABITS), start_usual(), 0, blank)


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
    if diary.day not in (NO_DAY, number):
        after, day = _complete(diary, school, year_groups)
        halves = (diary.blank, codes) if half == AFTERNOON else (codes, diary.blank)
        return Diary._make((number, *halves, *after[3:])), day
    if half == AFTERNOON:
        morning = diary.morning if diary.day == number else diary.blank
        whole = Diary._make((number, morning, codes, *diary[3:]))
        return _complete(whole, school, year_groups)
    return Diary._make((number, codes, diary.blank, *diary[3:])), None


def _complete(
    diary: Diary, school: WholeSchool, year_groups: NDArray[np.uint8] | None
) -> tuple[Diary, Day | None]:
    weekday = (diary.day - 1) % 7
    groups = NO_GROUPS if year_groups is None else year_groups
    today, habits, usual, counted = _weigh(
        diary.morning, diary.afternoon, diary.habits, diary.usual, groups, weekday, diary.days,
        school.mass,
    )  # fmt: skip
    if not counted:  # no register came at all: the day says nothing
        return diary._replace(day=NO_DAY), None
    halves = diary.blank, diary.blank
    after = Diary(NO_DAY, *halves, habits, usual, diary.days + 1, diary.blank)
    return after, Day(weekday, today)


@kernel(np.uint8, np.uint8, HABITS, USUAL, np.uint8, int, int, bool)
def _weigh(  # noqa: PLR0913  (one call into compiled code costs less than four)
    am: Codes,
    pm: Codes,
    habits: Rows,
    usual: Rows,
    year_groups: Codes,
    weekday: int,
    days: int,
    mass: bool,
) -> tuple[Rows, Rows, Rows, int]:
    """Return the day, habits and what is usual after it, and how many pupils it counts for."""
    today, counted = seen(am, pm, habits)
    if not counted:
        return today, habits, usual, counted
    usual_after, times = compare(today, usual, year_groups, weekday)
    weigh(today, habits, usual, times, year_groups, days, mass)
    return today, remember_day(am, pm, habits, today), usual_after, counted
