"""What is usual in a school: how often absence begins, by weekday and year group, hard and soft."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.compiled import inlined
from services.risk.pupil_days import Rows

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


def start_usual() -> Rows:
    """Return what is believed of any school, hard and soft: of `USUAL`, shape (2,)."""
    return np.array([(u, np.ones(7), np.ones(YEAR_GROUPS)) for u in USUAL_AT_FIRST], USUAL)


@inlined
def _share(ratio: float) -> float:
    return min(max(ratio, SHARE_MIN), SHARE_MAX)


@inlined
def compare(
    today: Rows, before: Rows, year_groups: Codes, weekday: int
) -> tuple[Rows, NDArray[np.float64]]:
    """Return what is usual after the day, and how many times the usual it was.

    For hard and for soft absence in each year group, drawn to the school's, and last in the school:
    shape (2, YEAR_GROUPS + 1).
    """
    began, could = np.zeros((2, YEAR_GROUPS), np.int64), np.zeros(YEAR_GROUPS, np.int64)
    for p in range(len(today)):
        group = year_groups[p] if len(year_groups) else 0
        could[group] += today[p].free
        if today[p].begins and not today[p].left:
            began[0 if today[p].hard else 1, group] += 1
    after, times = before.copy(), np.empty((2, YEAR_GROUPS + 1))
    for kind in range(2):
        usual, old, prior = after[kind], before[kind], PRIORS[kind]
        expected = old.share * old.weekdays[weekday]
        ratio = (began[kind].sum() + prior) / (expected * could.sum() + prior)
        times[kind] = ratio
        for g in range(YEAR_GROUPS if len(year_groups) else 0):
            drawn_to, in_group = GROUP_PRIORS[kind], expected * old.groups[g] * could[g]
            times[kind, g] = (began[kind, g] + drawn_to * ratio) / (in_group + drawn_to)
            share = _share((began[kind, g] + 1) / (expected * ratio * could[g] + 1))
            usual.groups[g] += USUAL_WEIGHT * (share - old.groups[g])
        rate = began[kind].sum() / max(1, could.sum())
        usual.share += USUAL_WEIGHT * (min(rate, 3 * old.share) - old.share)
        share = _share(rate / max(usual.share, 0.001))
        usual.weekdays[weekday] += WEEKDAY_WEIGHT * (share - old.weekdays[weekday])
    return after, times


@inlined
def believed(times: float) -> Any:
    """Return how many times the usual a day is taken for; in thousandths, the same everywhere."""
    power = min(max(times, UNUSUAL_MIN), UNUSUAL_MAX) ** UNUSUAL_POWER
    return np.rint(power * 1000) / 1000
