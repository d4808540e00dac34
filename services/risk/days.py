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
from services.risk.whole_school import WholeSchool

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

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
ONE = np.uint64(1)
MASS_FROM = 2.5
"""A day so unusual that being away together says nothing."""

SETTLED_DAYS = 15
"""Recent school days that do not count towards what a pupil is used to."""
RECENT = np.uint64((1 << SETTLED_DAYS) - 1)
PRIOR_ABSENT, PRIOR_DAYS = np.float32(0.35), np.float32(7)
"""What is believed of a pupil of whom nothing is known: 5 % of days, worth seven days."""

USUAL_WEIGHT, WEEKDAY_WEIGHT = 0.03, 0.06
"""How fast what is usual in the school follows its days: about a half-term, and as many weeks."""
SCHOOL_PRIOR = 3.2
"""Absences that are added to both sides of a day's comparison: a small school says little."""
YEAR_GROUPS = 32
"""Most year groups of a school; 0 is for pupils whose year group is not known."""
GROUP_PRIOR = 3.0
"""Absences by which a year group's day is drawn to the school's."""
ZERO, TWO = np.float32(0), np.float32(2)
KNOWN_FROM, KNOWN_SPAN, KNOWN_WEIGHT = np.float32(0.15), np.float32(0.11), np.float32(0.8)
"""From this share of days with absence more is needed, by `KNOWN_WEIGHT` for each span above it."""
FADING = np.float32(0.97)
HALF = np.float32(0.5)
MEDICAL_DAYS, MEDICAL_OTHER_MAX = 5.5, 0.25
"""A medical matter: this much illness, and at most this share of it of other absence."""
UNUSUAL_MIN, UNUSUAL_MAX, UNUSUAL_POWER = 0.5, 15.0, 0.86


class Day(NamedTuple):
    """One complete school day. P is the number of pupils in the book."""

    weekday: int
    """0 is Monday."""
    absent: Bools
    """Absent, hard or soft, in at least one session, shape (P,)."""
    begins: Bools
    """An absence begins: absent today, and not on the pupil's day before, shape (P,)."""
    free: Bools
    """An absence could have begun today, shape (P,)."""
    goes_on: Bools
    """Was absent on the pupil's day before, and counted today, shape (P,)."""
    hard: Bools
    """At least one session is hard absence (O), shape (P,)."""
    left: Bools
    """In school in the morning and absent, without an appointment, in the afternoon, shape (P,).

    Not after a day of absence: an illness that was not over is no leaving."""
    could_leave: Bools
    """In school in the morning, and the afternoon counts, shape (P,)."""
    late: Bools
    """Arrived late, before or after the register closed, shape (P,)."""
    came: Bools
    """In school in the morning, late or not, shape (P,)."""
    shared: Bools
    """The absence is one with the school's: so many are away that an illness says nothing about
    the pupil, or so many that no absence does, shape (P,)."""
    unusual: Floats
    """How many times as much absence began in the pupil's year group as usually does on this
    weekday, drawn to the school's, shape (P,)."""
    known: Floats
    """How much more than of others is needed to say that this pupil has changed, shape (P,).

    1 for most. A child who has missed a seventh or more of the year's days, the last three weeks
    left out, is known to the school: only a marked change is news."""
    illness: Floats
    """Days of illness and appointments, fading by 3 % on each day that counts, shape (P,)."""
    medical: Bools
    """So much of the pupil's recent absence is illness that it is a medical matter, shape (P,)."""
    recent: NDArray[np.uint64]
    """The pupil's last 64 days with hard absence or leaving, newest in bit 0, shape (P,)."""


class Diary(NamedTuple):
    """State: the day that is being put together, and what is usual."""

    day: int
    """Number of the unfinished day (ordinal // 2), -1: none."""
    morning: Codes
    afternoon: Codes
    away: Bools
    """Absent on the latest day that counted, for a part of it or all, shape (P,)."""
    away_all_day: Bools
    history: NDArray[np.uint64]
    """The last 64 days with absence, newest in bit 0, shape (P,)."""
    hard_history: NDArray[np.uint64]
    absent_days: Floats
    illness: Floats
    unexplained: Floats
    days: int
    usual: float
    """Share of pupils for whom an absence begins on a usual day."""
    weekdays: tuple[float, ...]
    """Each weekday's usual share, as a multiple of `usual`."""
    groups: NDArray[np.float64]
    """Each year group's usual share, as a multiple of `usual`, shape (YEAR_GROUPS,)."""


def start_diary(pupils: int) -> Diary:
    """Return a diary before the first session."""
    blank, none = np.zeros(pupils, np.uint8), np.zeros(pupils, np.uint64)
    zero = np.zeros(pupils, np.float32)
    return Diary(
        day=-1, morning=blank, afternoon=blank,
        away=np.zeros(pupils, np.bool_), away_all_day=np.zeros(pupils, np.bool_),
        history=none, hard_history=none, absent_days=zero, illness=zero, unexplained=zero,
        days=0, usual=0.02, weekdays=(1.0,) * 7, groups=np.ones(YEAR_GROUPS),
    )  # fmt: skip


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
    blank = np.zeros(len(codes), np.uint8)
    if diary.day not in (-1, number):
        after, day = _complete(diary, school, year_groups)
        halves = (blank, codes) if half == AFTERNOON else (codes, blank)
        return after._replace(day=number, morning=halves[0], afternoon=halves[1]), day
    if half == AFTERNOON:
        morning = diary.morning if diary.day == number else blank
        whole = diary._replace(day=number, morning=morning, afternoon=codes)
        return _complete(whole, school, year_groups)
    return diary._replace(day=number, morning=codes, afternoon=blank), None


def _complete(
    diary: Diary, whole: WholeSchool, year_groups: NDArray[np.uint8] | None
) -> tuple[Diary, Day | None]:
    am, pm = diary.morning, diary.afternoon
    hard_am, hard_pm, soft_am, soft_pm = HARD[am], HARD[pm], SOFT[am], SOFT[pm]
    absent_pm = hard_pm | soft_pm
    hard = hard_am | hard_pm
    absent = hard | soft_am | absent_pm
    came, stayed = IN_SCHOOL[am], IN_SCHOOL[pm]
    counted = absent | came | stayed
    if not counted.any():  # no register came at all: the day says nothing
        return diary._replace(day=-1), None
    free = counted & ~diary.away
    begins = absent & free
    left = came & absent_pm & (pm != APPOINTMENT) & ~diary.away_all_day
    school = _compare(diary, begins, free, year_groups)
    after = diary._replace(
        day=-1,
        away=np.where(counted, absent, diary.away),
        away_all_day=np.where(counted, absent & ~came & ~stayed, diary.away_all_day),
        history=(diary.history << ONE) | absent,
        hard_history=(diary.hard_history << ONE)
        | (hard & (begins | left) & (school.unusual < MASS_FROM)),
        absent_days=diary.absent_days + absent,
        illness=np.where(counted, _faded(diary.illness, soft_am, soft_pm), diary.illness),
        unexplained=np.where(
            counted, _faded(diary.unexplained, hard_am, hard_pm), diary.unexplained
        ),
        days=diary.days + 1,
        usual=school.usual,
        weekdays=school.weekdays,
        groups=school.groups,
    )
    medical = (after.illness > MEDICAL_DAYS) & (
        after.unexplained < MEDICAL_OTHER_MAX * after.illness
    )
    day = Day(
        weekday=(diary.day - 1) % 7, absent=absent, begins=begins, free=free,
        goes_on=counted & diary.away, hard=hard, left=left, could_leave=came & (absent_pm | stayed),
        late=LATE[am], came=came, shared=_shared(whole, absent, hard), unusual=school.unusual,
        known=_known(_used_to(after)), illness=after.illness, medical=medical,
        recent=after.hard_history,
    )  # fmt: skip
    return after, day


def _shared(school: WholeSchool, absent: Bools, hard: Bools) -> Bools:
    if not school.mass:
        return np.zeros(len(absent), np.bool_)
    return absent if school.grave else absent & ~hard


def _faded(total: Floats, am: Bools, pm: Bools) -> Floats:
    return np.asarray(total * FADING + HALF * am + HALF * pm, np.float32)


def _known(used_to: Floats) -> Floats:
    more = np.clip((used_to - KNOWN_FROM) / KNOWN_SPAN, ZERO, TWO)
    return np.asarray(more * KNOWN_WEIGHT + np.float32(1))


def _used_to(diary: Diary) -> Floats:
    """Share of days with absence: all but the latest weeks, or half of all, whichever is more.

    Half of what is seen is taken for habit, so that who is often away from the first day on is
    known for it before the first weeks are over.
    """
    recent = np.bitwise_count(diary.history & RECENT).astype(np.float32)
    settled = np.float32(max(0, diary.days - SETTLED_DAYS) + PRIOR_DAYS)
    before = (diary.absent_days - recent + PRIOR_ABSENT) / settled
    ever = (diary.absent_days * HALF + PRIOR_ABSENT) / np.float32(diary.days + PRIOR_DAYS)
    return np.asarray(np.maximum(before, ever), np.float32)


class _School(NamedTuple):
    unusual: Floats
    usual: float
    weekdays: tuple[float, ...]
    groups: NDArray[np.float64]


def _compare(
    diary: Diary, begins: Bools, free: Bools, year_groups: NDArray[np.uint8] | None
) -> _School:
    began, could = int(begins.sum()), int(free.sum())
    weekday = (diary.day - 1) % 7
    rate = began / max(1, could)
    expected = diary.usual * diary.weekdays[weekday]
    ratio = (began + SCHOOL_PRIOR) / (expected * could + SCHOOL_PRIOR)
    groups, unusual = diary.groups, np.full(len(begins), _bounded(ratio), np.float32)
    if year_groups is not None:
        began_in = np.bincount(year_groups[begins], minlength=YEAR_GROUPS)
        could_in = np.bincount(year_groups[free], minlength=YEAR_GROUPS)
        expected_in = expected * groups * could_in
        ratios = (began_in + GROUP_PRIOR * ratio) / (expected_in + GROUP_PRIOR)
        unusual = _bounded(ratios).astype(np.float32)[year_groups]
        shares = np.clip((began_in + 1) / (expected * ratio * could_in + 1), 0.4, 2.5)
        groups = groups + USUAL_WEIGHT * (shares - groups)
    usual = diary.usual + USUAL_WEIGHT * (min(rate, 3 * diary.usual) - diary.usual)
    share = min(max(rate / max(usual, 0.001), 0.4), 2.5)
    weekdays = list(diary.weekdays)
    weekdays[weekday] += WEEKDAY_WEIGHT * (share - weekdays[weekday])
    return _School(unusual, usual, tuple(weekdays), groups)


def _bounded(ratio: Any) -> Any:
    return np.clip(ratio, UNUSUAL_MIN, UNUSUAL_MAX) ** UNUSUAL_POWER
