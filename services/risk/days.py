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
from services.risk.known import known, used_to
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
ONE, BIT = np.float32(1), np.uint64(1)
MASS_FROM = np.float32(2.5)
"""A day so unusual that being away together says nothing."""

USUAL_WEIGHT, WEEKDAY_WEIGHT = 0.03, 0.06
"""How fast what is usual in the school follows its days: about a half-term, and as many weeks."""
SCHOOL_PRIOR = 3.2
"""Absences that are added to both sides of a day's comparison: a small school says little."""
YEAR_GROUPS = 32
"""Most year groups of a school; 0 is for pupils whose year group is not known."""
GROUP_PRIOR = 3.0
"""Absences by which a year group's day is drawn to the school's."""
FADING = np.float32(0.97)
HALF = np.float32(0.5)
MEDICAL_DAYS, MEDICAL_OTHER_MAX = np.float32(5.5), np.float32(0.25)
"""A medical matter: this much illness, and at most this share of it of other absence."""
UNUSUAL_MIN, UNUSUAL_MAX, UNUSUAL_POWER = 0.5, 15.0, 0.86
SHARE_MIN, SHARE_MAX = 0.4, 2.5
"""Bounds of what one day can show of a weekday's, or a year group's, usual share."""
NO_GROUPS = np.zeros(0, np.uint8)


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
        # The absence is one with the school's: so many are away that an illness says nothing about
        # the pupil, or so many that no absence does.
        ("shared", np.bool_),
        # So much of the pupil's recent absence is illness that it is a medical matter.
        ("medical", np.bool_),
        # How many times as much absence began in the pupil's year group as usually does on this
        # weekday, drawn to the school's.
        ("unusual", np.float32),
        # How much more than of others is needed to say that this pupil has changed: 1 for most. A
        # child who has missed a seventh or more of the year's days, the last three weeks left out,
        # is known to the school: only a marked change is news.
        ("known", np.float32),
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
        # The last 64 days with absence, and with hard absence or leaving, newest in bit 0.
        ("history", np.uint64),
        ("hard_history", np.uint64),
        ("absent_days", np.float32),
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
    """Of `USUAL`, shape (1,): the school's."""
    days: int


def start_diary(pupils: int) -> Diary:
    """Return a diary before the first session."""
    blank = np.zeros(pupils, np.uint8)
    usual = np.array([(0.02, np.ones(7), np.ones(YEAR_GROUPS))], USUAL)
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
    usual = _compare(today, diary.usual, groups, weekday)
    days = diary.days + 1
    habits = _remember(am, pm, diary.habits, today, days, school.mass, school.grave)
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
def _bounded(ratio: float) -> Any:
    return min(max(ratio, UNUSUAL_MIN), UNUSUAL_MAX) ** UNUSUAL_POWER


@inlined
def _share(ratio: float) -> float:
    return min(max(ratio, SHARE_MIN), SHARE_MAX)


@kernel(PUPIL_DAY, USUAL, np.uint8, int)
def _compare(today: Rows, before: Rows, year_groups: Codes, weekday: int) -> Rows:
    """Write into the day how unusual it is; return what is usual after it."""
    began, could = np.zeros(YEAR_GROUPS, np.int64), np.zeros(YEAR_GROUPS, np.int64)
    for p in range(len(today)):
        group = year_groups[p] if len(year_groups) else 0
        began[group] += today[p].begins
        could[group] += today[p].free
    after = before.copy()
    usual, old = after[0], before[0]
    expected = old.share * old.weekdays[weekday]
    ratio = (began.sum() + SCHOOL_PRIOR) / (expected * could.sum() + SCHOOL_PRIOR)
    unusual = np.full(YEAR_GROUPS, _bounded(ratio), np.float32)
    if len(year_groups):
        for g in range(YEAR_GROUPS):
            in_group = expected * old.groups[g] * could[g]
            unusual[g] = _bounded((began[g] + GROUP_PRIOR * ratio) / (in_group + GROUP_PRIOR))
            share = _share((began[g] + 1) / (expected * ratio * could[g] + 1))
            usual.groups[g] += USUAL_WEIGHT * (share - old.groups[g])
    for p in range(len(today)):
        today[p].unusual = unusual[year_groups[p] if len(year_groups) else 0]
    rate = began.sum() / max(1, could.sum())
    usual.share += USUAL_WEIGHT * (min(rate, 3 * old.share) - old.share)
    share = _share(rate / max(usual.share, 0.001))
    usual.weekdays[weekday] += WEEKDAY_WEIGHT * (share - old.weekdays[weekday])
    return after


@inlined
def _faded(total: np.float32, am: bool, pm: bool) -> np.float32:
    return total * FADING + HALF * np.float32(am) + HALF * np.float32(pm)


@kernel(np.uint8, np.uint8, HABITS, PUPIL_DAY, int, bool, bool)
def _remember(
    am: Codes, pm: Codes, habits: Rows, today: Rows, days: int, mass: bool, grave: bool
) -> Rows:
    """Write into the day what depends on the pupil's history; return the history after it."""
    after = habits.copy()
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        if day.free or day.goes_on:
            pupil.away = day.absent
            pupil.away_all_day = day.absent and not (IN_SCHOOL[am[p]] or IN_SCHOOL[pm[p]])
            pupil.illness = _faded(pupil.illness, SOFT[am[p]], SOFT[pm[p]])
            pupil.unexplained = _faded(pupil.unexplained, HARD[am[p]], HARD[pm[p]])
        hard = day.hard and (day.begins or day.left) and day.unusual < MASS_FROM
        pupil.history = (pupil.history << BIT) | np.uint64(day.absent)
        pupil.hard_history = (pupil.hard_history << BIT) | np.uint64(hard)
        pupil.absent_days += np.float32(day.absent)
        day.shared = mass and day.absent and (grave or not day.hard)
        day.known = known(used_to(pupil.history, pupil.absent_days, days))
        day.illness, day.recent = pupil.illness, pupil.hard_history
        day.medical = (
            pupil.illness > MEDICAL_DAYS and pupil.unexplained < MEDICAL_OTHER_MAX * pupil.illness
        )
    return after
