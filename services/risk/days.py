"""Days: what rules on emerging patterns see of a whole school day, put together once for all.

A habit shows in days and spells, not in single sessions: an illness of three days is one event,
and a day on which half the school is away says little about a pupil. So the two sessions of a day
are read together, a pupil's absence is told apart into its beginning and its going on, and each day
says how much more absence began in the school, and in the pupil's year group, than usually does on
that weekday.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, Codes, mask_of
from services.risk.compiled import inlined, kernel
from services.risk.known import known
from services.risk.whole_school import WholeSchool

Rows = NDArray[np.void]
"""A record for each pupil, shape (P,)."""

AFTERNOON = 1
HARD = mask_of("O")
"""Absence that a reason was asked for and none found."""
SOFT = mask_of("IMN")
"""Illness, appointments, and what nobody has explained yet: it may still turn out to be either.

Leave, holidays, suspension and study leave (C, G, E, S …) are neither: the school knows of them.
"""
LATE = mask_of("LU")
IN_SCHOOL = (POSSIBLE & ~ABSENT) | mask_of("U")
APPOINTMENT = NUMBERS["M"]
SETTLED_DAYS = 20
"""Recent school days that do not count yet towards what a pupil is used to: while something
changes, it must not pass for habit."""
HARD_PRIOR, HARD_PRIOR_DAYS, HARD_MIN = 0.26, 12.0, 0.008
SOFT_PRIOR, SOFT_PRIOR_DAYS, SOFT_MIN = 1.07, 23.0, 0.009
"""Absences in so many days that are believed of a pupil of whom nothing is known, and the least
chance that is believed of anybody: hard absence (O), and soft."""
CHANCE_MAX, BOTH_MAX = 0.6, 0.9

USUAL_WEIGHT, WEEKDAY_WEIGHT = 0.03, 0.06
"""How fast what is usual in the school follows its days: about a half-term, and as many weeks."""
USUAL_AT_FIRST = 0.005, 0.015
"""Share of pupils for whom a hard, and a soft, absence begins on a usual day."""
DRAWN_POWER, DRAWN_MIN = 0.7, 0.5
"""How far what is believed of a pupil of whom little is known follows what is usual in the school,
and the least part of it that is left."""
PRIORS, GROUP_PRIORS = np.array([2.0, 3.0]), np.array([4.0, 3.0])
"""Hard and soft absences that are added to both sides of a day's comparison: a small school says
little; and by which a year group's day is drawn to the school's. A few friends are no year group's
day."""
YEAR_GROUPS = 32
"""Most year groups of a school; 0 is for pupils whose year group is not known."""
FADING = np.float32(0.97)
HALF = np.float32(0.5)
MEDICAL_DAYS, MEDICAL_OTHER_MAX = np.float32(5.5), np.float32(0.25)
"""A medical matter: this much illness, and at most this share of it of other absence."""
UNUSUAL_MIN, UNUSUAL_MAX, UNUSUAL_POWER = 0.5, 20.0, 0.7
"""Bounds of how many times the usual a day is taken for, and how much of it is believed."""
SHARED_FROM, TOGETHER_MAX = 3.0, 2.5
"""From so many times the usual on, an absence says nothing about the pupil; above this many, being
away on the same day as others says nothing."""
SHARE_MIN, SHARE_MAX = 0.4, 2.5
"""Bounds of what one day can show of a weekday's, or a year group's, usual share."""
NO_GROUPS = np.zeros(0, np.uint8)
BIT = np.uint64(1)
SETTLED = np.uint64(SETTLED_DAYS)


PUPIL_DAY = np.dtype(
    [
        # Absent, hard or soft, in at least one session.
        ("absent", np.bool_),
        # An absence begins: absent today, and not on the pupil's day before.
        ("begins", np.bool_),
        # An absence could have begun today.
        ("free", np.bool_),
        # Was absent on the pupil's day before, and counted today.
        ("goes_on", np.bool_),
        # At least one session is hard absence (O).
        ("hard", np.bool_),
        # In school in the morning and absent, without an appointment, in the afternoon; not after a
        # day of absence: an illness that was not over is no leaving.
        ("left", np.bool_),
        # In school in the morning, and the afternoon counts.
        ("could_leave", np.bool_),
        # Arrived late, before or after the register closed.
        ("late", np.bool_),
        # In school in the morning, late or not.
        ("came", np.bool_),
        # The absence is one with the school's or the year group's: so many are away with such a
        # code that it says nothing about the pupil.
        ("shared", np.bool_),
        # So much of the pupil's recent absence is illness that it is a medical matter.
        ("medical", np.bool_),
        # The chance that a hard, and that a soft, absence begins today: by the pupil's settled
        # habit, drawn to what is believed of any pupil, and by the year group's day.
        ("hard_chance", np.float64),
        ("soft_chance", np.float64),
        # How much more than of others is needed to say that this pupil has changed: 1 for most. A
        # child who has missed a seventh or more of the year's days, the last four weeks left out,
        # is known to the school: only a marked change is news.
        ("known", np.float64),
        # Days of illness and appointments, fading by 3 % on each day that counts.
        ("illness", np.float32),
        # The pupil's last 64 days with hard absence or leaving, newest in bit 0.
        ("recent", np.uint64),
    ],
    align=True,
)


class Day(NamedTuple):
    """One complete school day. P is the number of pupils in the book."""

    weekday: int
    """0 is Monday."""
    pupils: Rows
    """Of `PUPIL_DAY`, shape (P,): `day.pupils["absent"]` is bool, shape (P,)."""


HABITS = np.dtype(
    [
        # Absent on the latest day that counted, for a part of it or all.
        ("away", np.bool_),
        ("away_all_day", np.bool_),
        # The last 64 days, newest in bit 0: an absence began, hard or soft; one could have; absent;
        # counted; hard absence or leaving.
        ("began_hard", np.uint64),
        ("began_soft", np.uint64),
        ("was_free", np.uint64),
        ("was_absent", np.uint64),
        ("was_counted", np.uint64),
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
    usual = np.array([(u, np.ones(7), np.ones(YEAR_GROUPS)) for u in USUAL_AT_FIRST], USUAL)
    return Diary(-1, blank, blank, np.zeros(pupils, HABITS), usual, 0)


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
    today, counted = _seen(am, pm, diary.habits)
    if not counted:  # no register came at all: the day says nothing
        return diary._replace(day=-1), None
    weekday = (diary.day - 1) % 7
    groups = NO_GROUPS if year_groups is None else year_groups
    usual, times, in_school = _compare(today, diary.usual, groups, weekday)
    together = in_school[0] < TOGETHER_MAX
    _weigh(today, diary.habits, diary.usual, times, groups, diary.days, school.mass, together)
    habits, days = _remember(am, pm, diary.habits, today), diary.days + 1
    return Diary(-1, am, pm, habits, usual, days), Day(weekday, today)


@kernel(np.uint8, np.uint8, HABITS)
def _seen(am: Codes, pm: Codes, habits: Rows) -> tuple[Rows, int]:
    """Read the two sessions together; return the day so far, and how many pupils it counts for."""
    today, counted = np.zeros(len(am), PUPIL_DAY), 0
    for p in range(len(am)):
        absent_pm = HARD[pm[p]] or SOFT[pm[p]]
        came, stayed = IN_SCHOOL[am[p]], IN_SCHOOL[pm[p]]
        day, before = today[p], habits[p]
        day.hard = HARD[am[p]] or HARD[pm[p]]
        day.absent = day.hard or SOFT[am[p]] or absent_pm
        counts = day.absent or came or stayed
        counted += counts
        day.free = counts and not before.away
        day.goes_on = counts and before.away
        day.begins = day.absent and day.free
        day.left = came and absent_pm and pm[p] != APPOINTMENT and not before.away_all_day
        day.could_leave = came and (absent_pm or stayed)
        day.late, day.came = LATE[am[p]], came
    return today, counted


@inlined
def _share(ratio: float) -> float:
    return min(max(ratio, SHARE_MIN), SHARE_MAX)


@kernel(PUPIL_DAY, USUAL, np.uint8, int)
def _compare(
    today: Rows, before: Rows, year_groups: Codes, weekday: int
) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64]]:
    """Return what is usual after the day, and how many times the usual it was.

    For hard and for soft absence in each year group, shape (2, YEAR_GROUPS), drawn to the school's;
    and in the school, shape (2,).
    """
    began, could = np.zeros((2, YEAR_GROUPS), np.int64), np.zeros(YEAR_GROUPS, np.int64)
    for p in range(len(today)):
        group = year_groups[p] if len(year_groups) else 0
        could[group] += today[p].free
        if today[p].begins and not today[p].left:
            began[0 if today[p].hard else 1, group] += 1
    after, times, in_school = before.copy(), np.empty((2, YEAR_GROUPS)), np.empty(2)
    for kind in range(2):
        usual, old, prior = after[kind], before[kind], PRIORS[kind]
        expected = old.share * old.weekdays[weekday]
        ratio = (began[kind].sum() + prior) / (expected * could.sum() + prior)
        in_school[kind], times[kind] = ratio, ratio
        for g in range(YEAR_GROUPS if len(year_groups) else 0):
            drawn_to, in_group = GROUP_PRIORS[kind], expected * old.groups[g] * could[g]
            times[kind, g] = (began[kind, g] + drawn_to * ratio) / (in_group + drawn_to)
            share = _share((began[kind, g] + 1) / (expected * ratio * could[g] + 1))
            usual.groups[g] += USUAL_WEIGHT * (share - old.groups[g])
        rate = began[kind].sum() / max(1, could.sum())
        usual.share += USUAL_WEIGHT * (min(rate, 3 * old.share) - old.share)
        share = _share(rate / max(usual.share, 0.001))
        usual.weekdays[weekday] += WEEKDAY_WEIGHT * (share - old.weekdays[weekday])
    return after, times, in_school


@inlined
def believed(times: float) -> Any:
    """Return how many times the usual a day is taken for; in thousandths, the same everywhere."""
    power = min(max(times, UNUSUAL_MIN), UNUSUAL_MAX) ** UNUSUAL_POWER
    return np.rint(power * 1000) / 1000


@inlined
def drawn(share: float, at_first: float, power: float) -> Any:
    """Return by what a prior is multiplied in a school with this usual share; in thousandths."""
    return np.rint(max(share / at_first, DRAWN_MIN) ** power * 1000) / 1000


@kernel(PUPIL_DAY, HABITS, USUAL, (np.float64, 2), np.uint8, int, bool, bool)
def _weigh(
    today: Rows,
    habits: Rows,
    usual: Rows,
    times: NDArray[np.float64],
    year_groups: Codes,
    days: int,
    mass: bool,
    together: bool,
) -> None:
    """Write into the day what was to be expected of each pupil."""
    to_school = (
        drawn(usual[0].share, USUAL_AT_FIRST[0], DRAWN_POWER),
        drawn(usual[1].share, USUAL_AT_FIRST[1], DRAWN_POWER),
    )
    for p in range(len(today)):
        day, pupil = today[p], habits[p]
        group = year_groups[p] if len(year_groups) else 0
        hard = (pupil.hard + HARD_PRIOR * to_school[0]) / (pupil.free + HARD_PRIOR_DAYS)
        soft = (pupil.soft + SOFT_PRIOR * to_school[1]) / (pupil.free + SOFT_PRIOR_DAYS)
        hard, soft = max(hard, HARD_MIN * to_school[0]), max(soft, SOFT_MIN * to_school[1])
        day.hard_chance = min(hard * believed(times[0, group]), CHANCE_MAX)
        day.soft_chance = min(soft * believed(times[1, group]), CHANCE_MAX)
        day.known = known(pupil.absent, pupil.counted, days)
        like_others = times[0 if day.hard else 1, group] >= SHARED_FROM
        day.shared = day.absent and (like_others or (mass and not day.hard))
        day.recent = np.uint64(together and day.hard and (day.begins or day.left))


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
def _settle(pupil: Any, day: Any, counts: bool) -> None:
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


@kernel(np.uint8, np.uint8, HABITS, PUPIL_DAY)
def _remember(am: Codes, pm: Codes, habits: Rows, today: Rows) -> Rows:
    """Write into the day what depends on the pupil's history with it; return that history."""
    after = habits.copy()
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        counts = day.free or day.goes_on
        if counts:
            pupil.away = day.absent
            pupil.away_all_day = day.absent and not (IN_SCHOOL[am[p]] or IN_SCHOOL[pm[p]])
            pupil.illness = _faded(pupil.illness, SOFT[am[p]], SOFT[pm[p]])
            pupil.unexplained = _faded(pupil.unexplained, HARD[am[p]], HARD[pm[p]])
        _settle(pupil, day, counts)
        pupil.hard_history = (pupil.hard_history << BIT) | day.recent
        day.illness, day.recent = pupil.illness, pupil.hard_history
        day.medical = (
            pupil.illness > MEDICAL_DAYS and pupil.unexplained < MEDICAL_OTHER_MAX * pupil.illness
        )
    return after
