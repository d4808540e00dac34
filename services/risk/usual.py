"""What is usual in a school: how often absence begins, by weekday and year group, hard and soft.

And on how many days pupils leave after registration, and come late.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined
from services.risk.pupil_days import Rows

WEEKEND = 5
"""Weekdays from this on are no school days in any week."""
USUAL_WEIGHT, WEEKDAY_WEIGHT = 0.03, 0.06
"""How fast what is usual in the school follows its days: about a half-term, and as many weeks."""
USUAL_AT_FIRST = 0.005, 0.015
"""Share of pupils for whom a hard, and a soft, absence begins on a usual day."""
USUAL_MIN = 0.5
"""Less than this part of it is not believed of any school."""
PRIORS, GROUP_PRIORS = np.array([2.0, 3.0]), np.array([4.0, 3.0])
"""Hard and soft absences that are added to both sides of a day's comparison: a small school says
little; and by which a year group's day is drawn to the school's. A few friends are no year group's
day."""
YEAR_GROUPS = 32
"""Most year groups of a school; 0 is for pupils whose year group is not known."""
UNUSUAL_MIN, UNUSUAL_MAX, UNUSUAL_POWER = 0.5, 20.0, 0.82
"""Bounds of how many times the usual a day is taken for, and how much of it is believed."""
SHARE_MIN, SHARE_MAX = 0.4, 2.5
"""Bounds of what one day can show of a weekday's, or a year group's, usual share."""

OFTEN_PRIOR = 2.0
"""Pupils who left, or came late, added to both sides of a day's comparison."""
LEFT_AT_FIRST, LATE_AT_FIRST = 0.004, 0.02
LEFT_MAX, LATE_MAX = 0.02, 0.06
"""Share of pupils who leave after registration, and who come late, on a usual day; and the most of
it that a day can show."""

USUAL = np.dtype(
    [
        # Share of pupils for whom an absence begins on a usual day.
        ("share", np.float64),
        # Each weekday's and each year group's usual share, as a multiple of that.
        ("weekdays", np.float64, 7),
        ("groups", np.float64, YEAR_GROUPS),
    ],
    align=True,
)

OFTEN = np.dtype(
    [
        # Share of those who could, on a usual day.
        ("usual", np.float64),
        # How many times as many it was today, and for how many times it is taken.
        ("times", np.float64),
        ("taken_for", np.float64),
    ],
    align=True,
)
SCHOOL_DAY = np.dtype(
    [
        # 0 is Monday; and that of the school day before, Saturdays and Sundays left out.
        ("weekday", np.int64),
        ("weekday_before", np.int64),
        # Whether an academic year has begun since the day before.
        ("new_year", np.bool_),
        # Pupils who left after registration, and who came late.
        ("left", OFTEN),
        ("late", OFTEN),
    ],
    align=True,
)
"""A school's day, for rules that look at one pupil at a time."""


def start_school_day() -> Rows:
    """Return what is believed of any school: of `SCHOOL_DAY`, shape (1,)."""
    school = np.zeros(1, SCHOOL_DAY)
    school["left"]["usual"], school["late"]["usual"] = LEFT_AT_FIRST, LATE_AT_FIRST
    return school


def start_usual() -> Rows:
    """Return what is believed of any school, hard and soft: of `USUAL`, shape (2,)."""
    return np.array([(u, np.ones(7), np.ones(YEAR_GROUPS)) for u in USUAL_AT_FIRST], USUAL)


@inlined
def _share(ratio: float) -> float:
    return min(max(ratio, SHARE_MIN), SHARE_MAX)


class Totals(NamedTuple):
    """What a school's pupils did on a day."""

    began: NDArray[np.int64]
    """For whom a hard, and a soft, absence began, by year group, shape (2, YEAR_GROUPS)."""
    could: NDArray[np.int64]
    """For whom one could have, shape (YEAR_GROUPS,)."""
    left: int
    could_leave: int
    late: int
    came: int
    counted: int


@inlined
def compare(
    totals: Totals, before: Rows, after: Rows, grouped: bool, weekday: int
) -> NDArray[np.float64]:
    """Write what is usual after the day; return how many times the usual it was.

    For hard and for soft absence in each year group, drawn to the school's, and last in the school:
    shape (2, YEAR_GROUPS + 1).
    """
    began, could = totals.began, totals.could
    times = np.empty((2, YEAR_GROUPS + 1))
    for kind in range(2):
        usual, old, prior = after[kind], before[kind], PRIORS[kind]
        expected = old.share * old.weekdays[weekday]
        ratio = (began[kind].sum() + prior) / (expected * could.sum() + prior)
        times[kind] = ratio
        for g in range(YEAR_GROUPS if grouped else 0):
            drawn_to, in_group = GROUP_PRIORS[kind], expected * old.groups[g] * could[g]
            times[kind, g] = (began[kind, g] + drawn_to * ratio) / (in_group + drawn_to)
            share = _share((began[kind, g] + 1) / (expected * ratio * could[g] + 1))
            usual.groups[g] += USUAL_WEIGHT * (share - old.groups[g])
        rate = began[kind].sum() / max(1, could.sum())
        usual.share += USUAL_WEIGHT * (min(rate, 3 * old.share) - old.share)
        share = _share(rate / max(usual.share, 0.001))
        usual.weekdays[weekday] += WEEKDAY_WEIGHT * (share - old.weekdays[weekday])
    return times


@inlined
def believed(times: float) -> Any:
    """Return how many times the usual a day is taken for; in thousandths, the same everywhere."""
    power = min(max(times, UNUSUAL_MIN), UNUSUAL_MAX) ** UNUSUAL_POWER
    return np.rint(power * 1000) / 1000


@inlined
def shares(usual: Rows) -> tuple[float, float]:
    """Return the share of pupils for whom a hard, and a soft, absence begins on a usual day."""
    hard, soft = USUAL_MIN * USUAL_AT_FIRST[0], USUAL_MIN * USUAL_AT_FIRST[1]
    return max(usual[0].share, hard), max(usual[1].share, soft)


@inlined
def compare_school(totals: Totals, school: Any, weekday: int, new_year: bool) -> None:
    """Write into a school's day what it was, and what is usual after it."""
    if school.weekday < WEEKEND:
        school.weekday_before = school.weekday
    school.weekday, school.new_year = weekday, new_year
    _compare_often(school.left, totals.left, totals.could_leave, LEFT_MAX)
    _compare_often(school.late, totals.late, totals.came, LATE_MAX)


@inlined
def _compare_often(often: Any, did: int, could: int, most: float) -> None:
    often.times = (did + OFTEN_PRIOR) / (often.usual * could + OFTEN_PRIOR)
    often.taken_for = believed(often.times)
    often.usual += USUAL_WEIGHT * (min(did / max(1, could), most) - often.usual)
