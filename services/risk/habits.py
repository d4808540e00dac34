"""Habits: what a pupil is used to, and what was to be expected of them on a day."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined
from services.risk.known import known
from services.risk.pupil_days import (
    APPOINTMENT,
    HARD,
    IN_SCHOOL,
    LATE,
    ORDINARY,
    SOFT,
    SUSPENDED,
    Seen,
)
from services.risk.usual import YEAR_GROUPS, believed

SETTLED_DAYS = 20
"""Recent school days that do not count yet towards what a pupil is used to: while something
changes, it must not pass for habit."""
HARD_HABIT, SOFT_HABIT = (4.1, 10.8, 1.2), (2.5, 28.5, 0.33)
"""How many times as often as usual in the school hard absence (O) is believed to begin for a pupil
of whom nothing is known, for how many days that counts, and how often at the least for anybody; the
same for soft absence."""
CHANCE_MAX = 0.6

FADING = np.float32(0.97)
HALF = np.float32(0.5)
MEDICAL_DAYS, MEDICAL_OTHER_MAX = np.float32(5.5), np.float32(0.25)
"""A medical matter: this much illness, and at most this share of it of other absence."""
SHARED_FROM, TOGETHER_MAX = 3.0, 2.5
"""From so many times the usual on, an absence says nothing about the pupil; above this many, being
away on the same day as others says nothing."""
BIT = np.uint64(1)
SETTLED = np.uint64(SETTLED_DAYS)


HABITS = np.dtype(
    [
        # Absent on the latest day that counted, for a part of it or all.
        ("away", np.bool_),
        ("away_all_day", np.bool_),
        # The last 32 days, newest in bit 0: an absence began, hard or soft; one could have; absent;
        # counted.
        ("began_hard", np.uint32),
        ("began_soft", np.uint32),
        ("was_free", np.uint32),
        ("was_absent", np.uint32),
        ("was_counted", np.uint32),
        # The last 64 days with hard absence or leaving.
        ("hard_history", np.uint64),
        # The settled days before the latest `SETTLED_DAYS`, counted.
        ("hard", np.float32),
        ("soft", np.float32),
        ("free", np.float32),
        ("absent", np.float32),
        ("counted", np.float32),
        # Days of soft and of hard absence, fading.
        ("illness", np.float32),
        ("unexplained", np.float32),
    ],
    align=True,
)


@inlined
def is_ordinary(am: int, pm: int, pupil: Any) -> Any:
    """Whether a pupil's day is `ORDINARY_DAY`."""
    return ORDINARY[am] and ORDINARY[pm] and not pupil.away


@inlined
def seen(am: int, pm: int, pupil: Any) -> Seen:
    """Read a pupil's two sessions together."""
    absent_pm, came, stayed = HARD[pm] or SOFT[pm], IN_SCHOOL[am], IN_SCHOOL[pm]
    hard = HARD[am] or HARD[pm]
    absent = hard or SOFT[am] or absent_pm
    counts = absent or came or stayed
    free = counts and not pupil.away
    return Seen(
        absent,
        absent and free,
        free,
        counts and pupil.away,
        hard,
        came and absent_pm and pm != APPOINTMENT and not pupil.away_all_day,
        came and (absent_pm or stayed),
        LATE[am],
        came,
        am == SUSPENDED or pm == SUSPENDED,
    )


@inlined
def _chance(events: np.float32, days: np.float32, usual: float, prior: Any) -> Any:
    """Return how often a pupil's absence begins: the settled habit, drawn to a prior."""
    rate = (events + prior[0] * usual * prior[1]) / (days + prior[1])
    return max(rate, prior[2] * usual)


@inlined
def weigh(  # noqa: PLR0913  (all that a pupil's day is held against)
    day: Seen,
    pupil: Any,
    usual: tuple[float, float],
    times: NDArray[np.float64],
    taken_for: NDArray[np.float64],
    group: int,
    days: int,
    mass: bool,
) -> tuple[float, float, float, bool, np.uint64]:
    """Return what was to be expected of a pupil.

    Args:
        usual: share of pupils for whom a hard, and a soft, absence begins.
        times: how many times the usual the day is, as `compare` returns it.
        taken_for: what of that is believed, shape (2, YEAR_GROUPS); 0: not worked out yet.
        group: the pupil's year group.
        days: school days in the book before this one.

    Returns:
        Of `PUPIL_DAY` the chances of hard and soft absence, `known` and `shared`; and whether the
        day is one of those in `recent`.
    """
    if taken_for[0, group] == 0:
        taken_for[0, group] = believed(times[0, group])
        taken_for[1, group] = believed(times[1, group])
    hard = _chance(pupil.hard, pupil.free, usual[0], HARD_HABIT)
    soft = _chance(pupil.soft, pupil.free, usual[1], SOFT_HABIT)
    like_others = times[0 if day.hard else 1, group] >= SHARED_FROM
    together = times[0, YEAR_GROUPS] < TOGETHER_MAX
    return (
        min(hard * taken_for[0, group], CHANCE_MAX),
        min(soft * taken_for[1, group], CHANCE_MAX),
        known(pupil.absent, pupil.counted, days),
        day.absent and (like_others or (mass and not day.hard)),
        np.uint64(together and day.hard and (day.begins or day.left)),
    )


@inlined
def _faded(total: np.float32, am: bool, pm: bool) -> np.float32:
    return total * FADING + HALF * np.float32(am) + HALF * np.float32(pm)


@inlined
def settled(history: np.uint64) -> np.float32:
    """Return 1 when the day that has just become old enough to be habit is in `history`, else 0."""
    return np.float32((history >> SETTLED) & BIT)


@inlined
def shifted(history: np.uint64, happened: bool) -> np.uint64:
    """Return a history with one more day."""
    return (history << BIT) | np.uint64(happened)


@inlined
def _settle(pupil: Any, day: Seen, counts: bool) -> None:
    pupil.began_hard = shifted(pupil.began_hard, day.begins and day.hard and not day.left)
    pupil.began_soft = shifted(pupil.began_soft, day.begins and not day.hard)
    pupil.was_free = shifted(pupil.was_free, day.free)
    pupil.was_absent = shifted(pupil.was_absent, day.absent)
    pupil.was_counted = shifted(pupil.was_counted, counts)
    pupil.hard += settled(pupil.began_hard)
    pupil.soft += settled(pupil.began_soft)
    pupil.free += settled(pupil.was_free)
    pupil.absent += settled(pupil.was_absent)
    pupil.counted += settled(pupil.was_counted)


@inlined
def remember_day(
    pupil: Any, day: Seen, am: int, pm: int, recent: np.uint64
) -> tuple[bool, np.float32, np.uint64]:
    """Take a pupil's day into their habits; return `medical`, `illness` and `recent` after it."""
    counts = day.free or day.goes_on
    if counts:
        pupil.away = day.absent
        pupil.away_all_day = day.absent and not (IN_SCHOOL[am] or IN_SCHOOL[pm])
        pupil.illness = _faded(pupil.illness, SOFT[am], SOFT[pm])
        pupil.unexplained = _faded(pupil.unexplained, HARD[am], HARD[pm])
    _settle(pupil, day, counts)
    pupil.hard_history = (pupil.hard_history << BIT) | recent
    medical = pupil.illness > MEDICAL_DAYS and pupil.unexplained < MEDICAL_OTHER_MAX * pupil.illness
    return medical, pupil.illness, pupil.hard_history
