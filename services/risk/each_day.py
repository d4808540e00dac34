"""Each day: the loop over a school's pupils that takes a complete school day.

What all rules are given of it is put together in it, and the shipped rules look
(`services.risk.looks`).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.compiled import inlined
from services.risk.episodes import Changes
from services.risk.fold import PupilDay
from services.risk.habits import HABITS, is_ordinary, remember_day, seen, weigh
from services.risk.looks import OF_DAYS, News, entries_of, in_turn
from services.risk.pupil_days import ORDINARY_DAY, PUPIL_DAY, Rows, Seen, Weighed, write_day
from services.risk.signs import DAY, NEW_YEAR_OF_DAYS, TOGETHER
from services.risk.stories import go_on, join, tell
from services.risk.usual import YEAR_GROUPS, Totals, compare, compare_school, shares

TOLD = OF_DAYS.on_limits
TODAY = np.uint64(1)
_look = in_turn(OF_DAYS)
enter_days = entries_of(OF_DAYS)


PUPIL = np.dtype([("habits", HABITS), ("rules", OF_DAYS.record)], align=True)
"""State after a day."""
FIRST = np.zeros(1, PUPIL)
FIRST["rules"] = OF_DAYS.start


class Against(NamedTuple):
    """What a pupil's day is held against."""

    expected: tuple[float, float]
    """Share of pupils for whom a hard, and a soft, absence begins on a usual day."""
    times: NDArray[np.float64]
    """How many times the usual the day is, as `compare` returns it."""
    taken_for: NDArray[np.float64]
    """What of that is believed, shape (2, YEAR_GROUPS); 0: not worked out yet."""
    days: int
    """School days before this one."""
    mass: bool
    """Whether there is mass absence."""
    school: Any
    """A record of `SCHOOL_DAY`."""


def start_days(pupils: int) -> Rows:
    """Return the state before the first day, of `PUPIL`, shape (P,)."""
    return np.repeat(FIRST, pupils)


@inlined
def _totals_of(am: Codes, pm: Codes, year_groups: Codes, pupils: Rows) -> Totals:
    """Return what the school's pupils did on a day, from their state before it."""
    began, could = np.zeros((2, YEAR_GROUPS), np.int64), np.zeros(YEAR_GROUPS, np.int64)
    ordinary, left, could_leave, late, came, counted = 0, 0, 0, 0, 0, 0
    for p in range(len(am)):
        group = year_groups[p] if len(year_groups) else 0
        if is_ordinary(am[p], pm[p], pupils[p].habits):
            could[group] += 1
            ordinary += 1
            continue
        day = seen(am[p], pm[p], pupils[p].habits)
        could[group] += day.free
        if day.begins and not day.left:
            began[0 if day.hard else 1, group] += 1
        left += day.left
        could_leave += day.could_leave
        late += day.late
        came += day.came
        counted += day.free or day.goes_on
    return Totals(
        began, could, left, could_leave + ordinary, late, came + ordinary, counted + ordinary
    )


@inlined
def _take(  # noqa: PLR0913  (a part of the loop)
    day: Seen, today: Any, tally: Any, pupil: Any, story: Any, marks: tuple[int, int],
    group: int, against: Against, figures: Any,
) -> int:  # fmt: skip
    """Weigh one pupil's day, and let the rules look at it; return whose bells are not as before."""
    habits = pupil.habits
    hard_chance, soft_chance, known, shared, away = weigh(
        day, habits, against.expected, against.times, against.taken_for, group, against.days,
        against.mass,
    )  # fmt: skip
    medical, illness, recent = remember_day(habits, day, marks[0], marks[1], away)
    weighed = Weighed(
        day.absent, day.begins, day.free, day.goes_on, day.hard, day.left, day.could_leave,
        day.late, day.came, day.suspended, shared, medical, illness, hard_chance, soft_chance,
        known, recent,
    )  # fmt: skip
    changed, today.ringing = _look(pupil.rules, PupilDay(weighed, tally, against.school), figures)
    write_day(today, weighed)
    go_on(story, weighed)
    news: int = changed & TOLD
    return news


class DayTaken(NamedTuple):
    """What a day comes to."""

    pupils: Rows
    stories: Rows
    """Both after the day."""
    today: Rows
    """Of `PUPIL_DAY`, shape (P,); of one pupil if nobody wants it."""
    news: News
    changes: Changes
    """What has become of stories."""
    signs: int
    """0: no register of the day came at all, and nothing has changed."""


@inlined
def take_day(  # noqa: PLR0913  (a part of the call that takes a register)
    before: Rows, stories_before: Rows, tallies: Rows, halves: tuple[Codes, Codes],
    year_groups: Codes, schools: tuple[Any, Any], when: tuple[int, int], figures: Any,
    join_with: tuple[Rows, int], wanted: bool,
) -> DayTaken:  # fmt: skip
    """Put a day together for each pupil, let rules look at it, and write what rings into stories.

    Args:
        before: of `PUPIL`.
        tallies: records with a field `tally`.
        schools: records of the school before the day, and after it, which is written into.
        when: the weekday, and the academic year.
        join_with: what `stories.join` asks for: `ranked` and `year`.
        wanted: whether what is seen of each pupil's day is, when the day is over.
    """
    (am, pm), (school, after) = halves, schools
    today, changes = np.empty(len(am) if wanted else 1, PUPIL_DAY), np.empty((len(am), 6), np.int64)
    news = np.empty((len(am), 2), np.int32)
    totals = _totals_of(am, pm, year_groups, before)
    if not totals.counted:
        return DayTaken(before, stories_before, today, news[:0], changes[:0], 0)
    pupils, stories, new_year = before.copy(), stories_before.copy(), when[1] != school.year_of_day
    times = compare(totals, school.usual, after.usual, len(year_groups) > 0, when[0])
    compare_school(totals, after.day, when[0], new_year)
    against = Against(
        shares(school.usual), times, np.zeros((2, YEAR_GROUPS)), school.days, after.whole.mass,
        after.day,
    )  # fmt: skip
    together, count, told = 0, 0, 0
    for p in range(len(am)):
        group, marks = year_groups[p] if len(year_groups) else 0, (am[p], pm[p])
        story, day = stories[p], today[p if wanted else 0]
        of = day, tallies[p].tally, pupils[p], story, marks, group, against, figures
        if is_ordinary(am[p], pm[p], pupils[p].habits):  # a path of its own, much shorter
            changed = _take(ORDINARY_DAY, *of)
        else:
            changed = _take(seen(am[p], pm[p], pupils[p].habits), *of)
        if day.ringing:
            join(story, day.ringing, *join_with)
        told = tell(stories_before[p], story, p, changes, told)
        together += day.recent & TODAY and day.recent != TODAY
        if changed:
            news[count, 0], news[count, 1] = p, changed
            count += 1
    after.year_of_day, after.days = when[1], school.days + 1
    signs = DAY | (TOGETHER if together > 1 else 0) | (NEW_YEAR_OF_DAYS if new_year else 0)
    # In a new year it is `Running.anew` that says who rings.
    news = news[: 0 if new_year else count]
    return DayTaken(pupils, stories, today, news, changes[:told], signs)
