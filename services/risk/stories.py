"""Stories: what emerging rules say of one pupil is one bell, and it is said once.

The first rule that rings opens the pupil's story and gives the bell its kind; whatever rings while
the story is open says the same thing and rings no second bell. A story ends when the pupil has been
steadily in school again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined, kernel
from services.risk.episodes import Changes
from services.risk.pupil_days import Rows
from services.risk.signals import Ints, Signals, year_anchor

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
        # Whether a story was open before the latest day, and the pupil absent or late on it.
        ("was_open", np.bool_),
        ("troubled", np.bool_),
    ],
    align=True,
)


def start_stories(pupils: int) -> Rows:
    """Return no stories: of `STORY`, shape (P,)."""
    nobody = np.zeros(pupils, STORY)
    nobody["leader"] = NOBODY
    return nobody


RANKED = np.dtype(
    [
        # The rule's place in the loop over days.
        ("place", np.int32),
        # And among all rules.
        ("rule", np.int32),
        # With which it rings.
        ("severity", np.uint8),
    ],
    align=True,
)
"""An emerging rule that looks at one pupil at a time."""


def join_rung(stories: Rows, rule: int, rung: Signals, turns: Ints, academic_year: int) -> None:
    """Write what a rule that is a fold itself says into stories that have gone on with the day.

    Args:
        turns: each rule's among the emerging ones, in the order of their ranks, shape (rules,).
    """
    year = year_anchor(academic_year)
    _join_rung(stories, rung.pupils, rung.severities, turns, rule, year)


@inlined
def go_on(story: Any, day: Any) -> None:
    """Take a pupil's day: it may end their story."""
    story.was_open, story.troubled = story.leader != NOBODY, day.absent or day.late
    if story.was_open:
        if story.troubled:
            story.quiet = min(story.quiet + SET_BACK_DAYS, QUIET_DAYS_MAX)
        else:
            story.quiet -= 1
        if story.quiet <= 0:
            story.leader = NOBODY


@inlined
def _join(story: Any, rule: int, severity: int, year: int) -> None:
    """Write into a pupil's story that a rule rings."""
    if not story.was_open and story.leader == NOBODY:
        if not story.troubled:
            return  # what rings still is an old story's, now over
        story.leader, story.quiet = rule, QUIET_DAYS
        # The n-th story of the year, whatever a later correction does to the day it began.
        story.times += 1
        story.anchor = year + story.times
        story.severity, story.grounds = 0, 0
    # What is added later can make the story graver, and never less grave.
    story.grounds |= np.uint32(1) << np.uint32(rule)
    story.severity = max(story.severity, severity)


@inlined
def join(story: Any, ringing: int, ranked: Rows, year: int) -> None:
    """Write into a pupil's story, which has gone on with the day, what the loop's rules say.

    Args:
        ringing: the rules that ring, by their places in the loop, as bits.
        ranked: of `RANKED`, in the order of their ranks.
    """
    for n in range(len(ranked)):
        if ringing >> ranked[n].place & 1:
            _join(story, ranked[n].rule, ranked[n].severity, year)


@inlined
def tell(was: Any, now: Any, pupil: int, rows: Changes, count: int) -> int:
    """Write the fields of an `Entry` for a story that is not as it was; return how many there are.

    Args:
        rows: shape (P, 6), of which so many are written.
    """
    rings = now.leader != NOBODY
    if not rings and was.leader == NOBODY:
        return count  # as nearly always
    story = now if rings else was
    if was.leader != now.leader or was.severity != now.severity or was.grounds != now.grounds:
        row = rows[count]
        row[0], row[1], row[2], row[3] = story.leader, pupil, story.anchor, rings
        row[4], row[5] = story.severity, story.grounds
        count += 1
    return count


@kernel(STORY, np.int32, np.uint8, np.int32, int, int, checked=True)
def _join_rung(
    stories: Rows, pupils: Ints, severities: Severities, turns: Ints, rule: int, year: int
) -> None:
    for n in range(len(pupils)):
        story = stories[pupils[n]]
        _join(story, rule, severities[n], year)
        if not story.was_open and story.leader != NOBODY and turns[rule] < turns[story.leader]:
            story.leader = rule  # of a story that began today


@kernel(STORY, STORY)
def told(before: Rows, after: Rows) -> Changes:
    """Return what a day has made of the stories."""
    rows, count = np.empty((len(before), 6), np.int64), 0
    for p in range(len(before)):
        count = tell(before[p], after[p], p, rows, count)
    return rows[:count].copy()
