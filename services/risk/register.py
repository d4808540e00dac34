"""A register of a whole school, taken by all shipped rules that look: one call, compiled.

A call into compiled code costs as much as looking at some tens of pupils, and so does each array
that it is given or returns: `services.risk.each_session` and `each_day` are two loops in it.
"""

from typing import NamedTuple

import numpy as np

from libs.common.codes import Codes
from services.risk import each_day, each_session
from services.risk.compiled import kernel
from services.risk.days import NOT_BEGUN, Day, Diary, step_diary
from services.risk.each_day import enter_days, start_days, take_day
from services.risk.each_session import When, enter_sessions, start_sessions, take_session
from services.risk.episodes import Changes
from services.risk.fold import Column, Ints
from services.risk.looks import BY_PLACE, FIGURES, ON_LIMITS
from services.risk.pupil_days import Rows
from services.risk.running import Running
from services.risk.signals import year_anchor
from services.risk.signs import MASS
from services.risk.stories import RANKED, STORY, start_stories
from services.risk.usual import (
    SCHOOL_DAY,
    USUAL,
    start_school_day,
    start_usual,
)
from services.risk.whole_school import WHOLE_SCHOOL, start_school, take_school

NONE_BROUGHT, NO_GROUPS = np.zeros((2, 0), np.int32), np.zeros(0, np.uint8)
RULES = len(BY_PLACE)
Completed = tuple[Rows, Rows, Rows | None]
"""Pupils and stories after a day, and the day, if it is wanted."""


SCHOOL = np.dtype(
    [
        # Of the latest session.
        ("academic_year", np.int64),
        ("school_week", np.int64),
        # Of the latest complete day; and how many there were.
        ("year_of_day", np.int64),
        ("days", np.int64),
        ("whole", WHOLE_SCHOOL),
        # For hard and for soft absence.
        ("usual", USUAL, 2),
        ("day", SCHOOL_DAY),
    ],
    align=True,
)


class State(NamedTuple):
    """After a register. P is the number of pupils."""

    diary: Diary
    sessions: Rows
    """Of `each_session.PUPIL`, shape (P,)."""
    days: Rows
    """Of `each_day.PUPIL`, shape (P,)."""
    stories: Rows
    """Of `STORY`, shape (P,)."""
    school: Rows
    """Of `SCHOOL`, shape (1,)."""


class Taken(NamedTuple):
    """What the rules tell of a register."""

    signs: int
    """Of `services.risk.signs`, as bits."""
    limits: Changes | None
    """What rules on fixed limits write into their episodes; None: nothing. In the first session and
    on the first day of an academic year `Running.anew` says it instead."""
    stories: Changes | None
    """What the day has made of stories; None: nothing."""
    day: Day | None
    """The day that it completes, if it is wanted."""


def start(pupils: int) -> State:
    """Return the state before the first register of a book with this many pupils."""
    school = np.zeros(1, SCHOOL)
    school["whole"], school["usual"], school["day"] = (
        start_school(), start_usual(), start_school_day(),
    )  # fmt: skip
    return State(
        NOT_BEGUN, start_sessions(pupils), start_days(pupils), start_stories(pupils), school
    )


@kernel(
    each_session.PUPIL, each_day.PUPIL, STORY, SCHOOL, np.uint8, np.uint8, np.uint8, np.uint8,
    np.uint8, (np.int32, 2), FIGURES, ON_LIMITS, RANKED, int, int, int, int, int, bool, bool,
)  # fmt: skip
def _take(  # noqa: PLR0913  (one call into compiled code)
    sessions: Rows, days: Rows, stories: Rows, school: Rows, codes: Codes, am: Codes, pm: Codes,
    year_groups: Codes, worker: Codes, brought: Ints, figures: Rows, limits: Rows, ranked: Rows,
    ordinal: int, week: int, year: int, anchor: int, weekday: int, completes: bool, wanted: bool,
) -> tuple[Rows, Rows, int, Completed | None, Changes | None, Changes | None]:  # fmt: skip
    before, after = school[0], school.copy()
    now, days_after = after[0], days
    when = When(ordinal, week - before.school_week, year != before.academic_year)
    session = take_session(sessions, codes, worker, brought, when, figures[0])
    take_school(now.whole, ordinal, session.away, session.of)
    now.academic_year, now.school_week = year, week
    signs = session.signs | (MASS if now.whole.mass or now.whole.wave else 0)
    news, completed, entries, changes = session.news[:0], None, None, None
    if completes:
        day = take_day(
            days, stories, session.pupils, (am, pm), year_groups, (before, now), (weekday, year),
            figures[0], (ranked, anchor), wanted,
        )  # fmt: skip
        if day.signs:
            days_after, news, signs = day.pupils, day.news, signs | day.signs
            completed = day.pupils, day.stories, day.today if wanted else None
            if len(day.changes):
                changes = day.changes.copy()
    room = RULES * (len(session.news) + len(news))
    if room:
        rows = np.empty((room, 6), np.int64)
        count = enter_sessions(sessions, session.pupils, session.news, limits, anchor, rows, 0)
        count = enter_days(days, days_after, news, limits, anchor, rows, count)
        entries = rows[:count].copy()
    return session.pupils, after, signs, completed, entries, changes


def take(before: State, column: Column, running: Running, wanted: bool) -> tuple[State, Taken]:
    """Take a register.

    Args:
        wanted: whether a rule reads `column.day`.
    """
    ordinal, codes, year = column.ordinal, column.codes, column.academic_year
    diary, whole = step_diary(before.diary, ordinal, codes)
    am, pm, weekday = (codes, codes, 0) if whole is None else whole
    sessions, school, signs, completed, limits, told = _take(
        before.sessions, before.days, before.stories, before.school, codes, am, pm,
        NO_GROUPS if column.year_groups is None else column.year_groups, column.worker,
        NONE_BROUGHT if column.brought is None else column.brought,
        running.figures, running.on_limits, running.ranked,
        ordinal, column.school_week, year, year_anchor(year), weekday, whole is not None,
        wanted,
    )  # fmt: skip
    day, days, stories = None, before.days, before.stories
    if completed is not None:
        days, stories, today = completed
        day = None if today is None else Day(weekday, today, school["day"])
    return State(diary, sessions, days, stories, school), Taken(signs, limits, told, day)
