"""Stories: what emerging rules say of one pupil is one bell, and it is said once.

The first rule that rings opens the pupil's story and gives the bell its kind; whatever rings while
the story is open says the same thing and rings no second bell. A story ends when the pupil has been
steadily in school again.
"""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined, kernel
from services.risk.days import Day
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


class Stories(NamedTuple):
    """State."""

    pupils: Rows
    """Of `STORY`, shape (P,)."""

    def signals_of(self, rule: int) -> Signals:
        """Return the open stories that this rule opened."""
        return Signals(*_told(self.pupils, rule))


def start_stories(pupils: int) -> Stories:
    """Return no stories."""
    nobody = np.zeros(pupils, STORY)
    nobody["leader"] = NOBODY
    return Stories(nobody)


def merge(
    stories: Stories, ranked: Sequence[tuple[int, Signals]], day: Day, academic_year: int
) -> tuple[Stories, int]:
    """Take a day's signals, the first rules first; open, go on with and end stories.

    Args:
        ranked: each emerging rule's place, and its signals.

    Returns:
        Also the places, as bits, of the rules of whose stories one is not what it was.
    """
    pupils, changed = _go_on(stories.pupils, day.pupils)
    for rule, rung in ranked:
        if len(rung.pupils):
            year = _first_of(academic_year)
            changed |= _join(pupils, day.pupils, rung[0], rung[2], rule, year)
    return Stories(pupils), changed


@cache
def _first_of(academic_year: int) -> int:
    return date(academic_year, 8, 1).toordinal() * 2


@inlined
def _is_troubled(day: Any) -> Any:
    return day.absent or day.late


@kernel(STORY, PUPIL_DAY)
def _go_on(before: Rows, today: Rows) -> tuple[Rows, int]:
    """Take a day; return the stories after it, and as bits the rules whose have ended."""
    after, changed = before.copy(), 0
    for p in range(len(today)):
        story = after[p]
        story.was_open = story.leader != NOBODY
        if not story.was_open:
            continue
        if _is_troubled(today[p]):
            story.quiet = min(story.quiet + SET_BACK_DAYS, QUIET_DAYS_MAX)
        else:
            story.quiet -= 1
        if story.quiet <= 0:
            changed |= 1 << story.leader
            story.leader = NOBODY
    return after, changed


@inlined
def _bit_of(story: Any) -> int:
    return 0 if story.leader == NOBODY else 1 << story.leader


@kernel(STORY, PUPIL_DAY, np.int32, np.uint8, int, int, checked=True)
def _join(
    stories: Rows,
    today: Rows,
    pupils: Ints,
    severities: Severities,
    rule: int,
    year: int,
) -> int:
    """Write into the stories that a rule rings for these pupils; return whose are changed."""
    changed, ground = 0, np.uint32(1) << np.uint32(rule)
    for n in range(len(pupils)):
        story = stories[pupils[n]]
        if not story.was_open:
            if not _is_troubled(today[pupils[n]]):
                continue  # what rings still is an old story's, now over
            story.was_open = True
            story.leader, story.quiet = rule, QUIET_DAYS
            # The n-th story of the year, whatever a later correction does to the day it began.
            story.times += 1
            story.anchor = year + story.times
            story.severity, story.grounds = 0, 0
        # What is added later can make the story graver, and never less grave.
        if not story.grounds & ground or story.severity < severities[n]:
            story.grounds |= ground
            story.severity = max(story.severity, severities[n])
            changed |= _bit_of(story)
    return changed


@kernel(STORY, int)
def _told(stories: Rows, rule: int) -> tuple[Ints, Ints, Severities, NDArray[np.uint32]]:
    """Return the positions, anchors, severities and grounds of a rule's stories."""
    count = 0
    for p in range(len(stories)):
        count += stories[p].leader == rule
    at, anchors = np.empty(count, np.int32), np.empty(count, np.int32)
    severities, grounds = np.empty(count, np.uint8), np.empty(count, np.uint32)
    count = 0
    for p in range(len(stories)):
        story = stories[p]
        if story.leader == rule:
            at[count], anchors[count] = p, story.anchor
            severities[count], grounds[count] = story.severity, story.grounds
            count += 1
    return at, anchors, severities, grounds
