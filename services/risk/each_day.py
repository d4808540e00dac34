"""Each day: the compiled loop over a school's pupils that takes a complete school day.

What all rules are given of it is put together in it, and the shipped rules look
(`services.risk.looks`).
"""

from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import Codes
from services.risk.compiled import inlined, kernel
from services.risk.days import Day, Diary
from services.risk.each_session import Sessions
from services.risk.fold import Column, PupilDay
from services.risk.habits import HABITS, is_ordinary, remember_day, seen, weigh
from services.risk.looks import OF_DAYS, News, Running, in_turn
from services.risk.pupil_days import ORDINARY_DAY, PUPIL_DAY, Rows, Seen, Weighed, write_day
from services.risk.stories import STORY, go_on, start_stories
from services.risk.tallies import TALLY
from services.risk.usual import (
    SCHOOL_DAY,
    USUAL,
    YEAR_GROUPS,
    Totals,
    compare,
    compare_school,
    shares,
    start_school_day,
    start_usual,
)

TOLD = OF_DAYS.on_limits
NO_GROUPS = np.zeros(0, np.uint8)
_look = in_turn(OF_DAYS.rules)


class Days(NamedTuple):
    """State after a complete school day."""

    academic_year: int
    number: int
    """School days so far."""
    habits: Rows
    """Of `HABITS`, shape (P,)."""
    usual: Rows
    """Of `USUAL`, shape (2,): the school's, for hard and for soft absence."""
    school: Rows
    """Of `SCHOOL_DAY`, shape (1,)."""
    rules: Rows
    """Of `OF_DAYS.record`, shape (P,)."""
    stories: Rows
    """Of `STORY`, shape (P,)."""


def start_days(pupils: int) -> Days:
    """Return the state before the first day."""
    habits, rules = np.zeros(pupils, HABITS), OF_DAYS.start(pupils)
    return Days(0, 0, habits, start_usual(), start_school_day(), rules, start_stories(pupils))


def take_day(
    before: Days, halves: Diary, column: Column, sessions: Sessions, running: Running
) -> tuple[Days, Day | None, News]:
    """Put a day together, and let rules look at it; None: no register of it came at all.

    Args:
        halves: the day, complete.
        column: the session that completed it.
        sessions: after that.
    """
    year = column.academic_year
    new_year = year != before.academic_year
    groups = NO_GROUPS if column.year_groups is None else column.year_groups
    today, counted, news, *after = _take_day(
        halves.morning, halves.afternoon, groups, sessions.tallies, before.habits,
        before.usual, before.school, before.rules, before.stories, running.figures,
        halves.weekday, before.number, sessions.school.mass, new_year,
    )  # fmt: skip
    if not counted:
        return before, None, news
    days = Days(year, before.number + 1, *after)
    return days, Day(halves.weekday, today, days.school), news


@inlined
def _totals(am: Codes, pm: Codes, year_groups: Codes, habits: Rows) -> Totals:
    began, could = np.zeros((2, YEAR_GROUPS), np.int64), np.zeros(YEAR_GROUPS, np.int64)
    ordinary, left, could_leave, late, came, counted = 0, 0, 0, 0, 0, 0
    for p in range(len(am)):
        group = year_groups[p] if len(year_groups) else 0
        if is_ordinary(am[p], pm[p], habits[p]):
            could[group] += 1
            ordinary += 1
            continue
        day = seen(am[p], pm[p], habits[p])
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
    day: Seen,
    today: Any,
    tally: Any,
    pupil: Any,
    rules: Any,
    story: Any,
    marks: tuple[int, int],
    against: Any,
    school: Any,
    figures: Any,
) -> Any:
    """Weigh one pupil's day, and let the rules look at it; return whose bells are not as before."""
    hard_chance, soft_chance, known, shared, away = weigh(day, pupil, *against)
    medical, illness, recent = remember_day(pupil, day, marks[0], marks[1], away)
    weighed = Weighed(
        day.absent, day.begins, day.free, day.goes_on, day.hard, day.left, day.could_leave,
        day.late, day.came, day.suspended, shared, medical, illness, hard_chance, soft_chance,
        known, recent,
    )  # fmt: skip
    changed, today.ringing = _look(rules, PupilDay(weighed, tally, school), figures)
    write_day(today, weighed)
    go_on(story, weighed)
    return changed


@kernel(
    np.uint8, np.uint8, np.uint8, TALLY, HABITS, USUAL, SCHOOL_DAY,
    OF_DAYS.record, STORY, OF_DAYS.figures, int, int, bool, bool,
)  # fmt: skip
def _take_day(  # noqa: PLR0913  (one call into compiled code)
    am: Codes,
    pm: Codes,
    year_groups: Codes,
    tallies: Rows,
    habits: Rows,
    usual: Rows,
    school: Rows,
    rules: Rows,
    stories: Rows,
    figures: Rows,
    weekday: int,
    days: int,
    mass: bool,
    new_year: bool,
) -> tuple[Rows, int, News, Rows, Rows, Rows, Rows, Rows]:
    today, news, count = np.empty(len(am), PUPIL_DAY), np.empty((len(am), 3), np.int32), 0
    totals = _totals(am, pm, year_groups, habits)
    if not totals.counted:
        return today, 0, news[:0].copy(), habits, usual, school, rules, stories
    before, usual, school = usual, usual.copy(), school.copy()
    habits, rules, stories = habits.copy(), rules.copy(), stories.copy()
    times = compare(totals, before, usual, len(year_groups) > 0, weekday)
    compare_school(totals, school[0], weekday, new_year)
    expected, taken_for = shares(before), np.zeros((2, YEAR_GROUPS))
    for p in range(len(today)):
        group, marks = year_groups[p] if len(year_groups) else 0, (am[p], pm[p])
        against = expected, times, taken_for, group, days, mass
        of = today[p], tallies[p], habits[p], rules[p], stories[p], marks, against, school[0]
        if is_ordinary(am[p], pm[p], habits[p]):  # a path of its own, much shorter
            changed = _take(ORDINARY_DAY, *of, figures[0])
        else:
            changed = _take(seen(am[p], pm[p], habits[p]), *of, figures[0])
        if changed & TOLD:
            news[count, 0], news[count, 1], news[count, 2] = p, changed, today[p].ringing
            count += 1
    return today, totals.counted, news[:count].copy(), habits, usual, school, rules, stories
