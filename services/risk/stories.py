"""Stories: what emerging rules say of one pupil is one bell, and it is said once.

The first rule that rings opens the pupil's story and gives the bell its kind; whatever rings while
the story is open says the same thing and rings no second bell. A story ends when the pupil has been
steadily in school again.
"""

from datetime import date
from functools import cache
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined, kernel
from services.risk.days import Day
from services.risk.episodes import Entry
from services.risk.pupil_days import PUPIL_DAY, Rows
from services.risk.signals import Ints, Signals

Severities = NDArray[np.uint8]
NOBODY = -1
QUIET_DAYS = 15
"""School days without absence or lateness after which a story ends, if there was none since."""
SET_BACK_DAYS = 5
"""What each day of absence or lateness adds to them."""
QUIET_DAYS_MAX = 30


STORY = np.dtype(
    [
        # Place of the rule that opened the pupil's story among the rules; `NOBODY`: none is open.
        ("leader", np.int32),
        ("anchor", np.int32),
        # Stories so far.
        ("times", np.int32),
        # School days without absence until the story ends.
        ("quiet", np.int32),
        # Places of the rules that rang while the story was open, as bits.
        ("grounds", np.uint32),
        ("severity", np.uint8),
        # Whether a story was open before the latest day.
        ("was_open", np.bool_),
    ],
    align=True,
)


def start_stories(pupils: int) -> Rows:
    """Return no stories: of `STORY`, shape (P,)."""
    nobody = np.zeros(pupils, STORY)
    nobody["leader"] = NOBODY
    return nobody


class Looked(NamedTuple):
    """Emerging rules that look at one pupil at a time, in the order of their ranks. N rules."""

    places: Ints
    """Their places in the loop, as `PUPIL_DAY` has them in `ringing`, shape (N,)."""
    rules: Ints
    """Their places among all rules, shape (N,)."""
    severities: Severities
    """With which they ring, shape (N,)."""


def join_looked(stories: Rows, looked: Looked, day: Day, academic_year: int) -> None:
    """Write what rings into stories that have gone on with the day."""
    _join_looked(stories, day.pupils, *looked, _first_of(academic_year))


def join_rung(stories: Rows, rule: int, rung: Signals, day: Day, academic_year: int) -> None:
    """Do the same with what a rule that is a fold itself says."""
    year = _first_of(academic_year)
    _join_rung(stories, day.pupils, rung.pupils, rung.severities, rule, year)


def told(before: Rows, after: Rows) -> list[Entry]:
    """Return what a day has made of the stories: which have begun, changed or ended."""
    return list(starmap(Entry, _told(before, after).tolist()))


@cache
def _first_of(academic_year: int) -> int:
    return date(academic_year, 8, 1).toordinal() * 2


@inlined
def _is_troubled(day: Any) -> Any:
    return day.absent or day.late


@inlined
def go_on(story: Any, day: Any) -> None:
    """Take a pupil's day: it may end their story."""
    story.was_open = story.leader != NOBODY
    if story.was_open:
        if _is_troubled(day):
            story.quiet = min(story.quiet + SET_BACK_DAYS, QUIET_DAYS_MAX)
        else:
            story.quiet -= 1
        if story.quiet <= 0:
            story.leader = NOBODY


@inlined
def _join(story: Any, day: Any, rule: int, severity: int, year: int) -> None:
    """Write into a pupil's story that a rule rings."""
    ground = np.uint32(1) << np.uint32(rule)
    if not story.was_open:
        if not _is_troubled(day):
            return  # what rings still is an old story's, now over
        story.was_open = True
        story.leader, story.quiet = rule, QUIET_DAYS
        # The n-th story of the year, whatever a later correction does to the day it began.
        story.times += 1
        story.anchor = year + story.times
        story.severity, story.grounds = 0, 0
    # What is added later can make the story graver, and never less grave.
    story.grounds |= ground
    story.severity = max(story.severity, severity)


@kernel(STORY, PUPIL_DAY, np.int32, np.int32, np.uint8, int)
def _join_looked(
    stories: Rows, today: Rows, places: Ints, rules: Ints, severities: Severities, year: int
) -> None:
    for p in range(len(today)):
        day = today[p]
        if day.ringing:
            for n in range(len(places)):
                if day.ringing >> places[n] & 1:
                    _join(stories[p], day, rules[n], severities[n], year)


@kernel(STORY, PUPIL_DAY, np.int32, np.uint8, int, int, checked=True)
def _join_rung(
    stories: Rows,
    today: Rows,
    pupils: Ints,
    severities: Severities,
    rule: int,
    year: int,
) -> None:
    for n in range(len(pupils)):
        p = pupils[n]
        _join(stories[p], today[p], rule, severities[n], year)


@kernel(STORY, STORY)
def _told(before: Rows, after: Rows) -> NDArray[np.int64]:
    """Return the fields of an `Entry` for each story that is not as it was, shape (K, 6)."""
    rows, count = np.empty((len(before), 6), np.int64), 0
    for p in range(len(before)):
        was, now = before[p], after[p]
        rings = now.leader != NOBODY
        if not rings and was.leader == NOBODY:
            continue  # as nearly always
        story = now if rings else was
        if was.leader != now.leader or was.severity != now.severity or was.grounds != now.grounds:
            row = rows[count]
            row[0], row[1], row[2], row[3] = story.leader, p, story.anchor, rings
            row[4], row[5] = story.severity, story.grounds
            count += 1
    return rows[:count].copy()
