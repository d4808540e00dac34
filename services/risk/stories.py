"""Stories: what emerging rules say of one pupil is one bell, and it is said once.

The first rule that rings opens the pupil's story and gives the bell its kind; whatever rings while
the story is open says the same thing and rings no second bell. A story ends when the pupil has been
steadily in school again.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.signals import Bools, Ints, Signals

NOBODY = -1
QUIET_DAYS = 18
"""School days without absence or lateness after which a story ends, if there was none since."""
SET_BACK_DAYS = 3
"""What each day of absence or lateness adds to them."""
QUIET_DAYS_MAX = 28


class Stories(NamedTuple):
    """Each of shape (P,)."""

    leader: NDArray[np.int16]
    """Place of the rule that opened the pupil's story among the rules; `NOBODY`: none is open."""
    anchors: Ints
    severities: NDArray[np.uint8]
    times: Ints
    """Stories so far."""
    quiet: Ints
    """School days without absence until the story ends."""
    grounds: NDArray[np.uint32]
    """Places of the rules that rang while the story was open, as bits."""

    def signals_of(self, rule: int) -> Signals:
        """Return the open stories that this rule opened."""
        at = np.flatnonzero(self.leader == rule)
        return Signals(at.astype(np.int32), self.anchors[at], self.severities[at], self.grounds[at])


def start_stories(pupils: int) -> Stories:
    """Return no stories."""
    none = np.zeros(pupils, np.int32)
    nobody = np.full(pupils, NOBODY, np.int16)
    return Stories(
        nobody, none, np.zeros(pupils, np.uint8), none, none, np.zeros(pupils, np.uint32)
    )


def merge(
    stories: Stories, ranked: Sequence[tuple[int, Signals]], troubled: Bools, academic_year: int
) -> Stories:
    """Take a day's signals, the first rules first; open, go on with and end stories.

    Args:
        ranked: each emerging rule's place, and its signals.
        troubled: pupils absent or late today, shape (P,).
    """
    if len(stories.leader) == 0:
        return stories
    goes_on = np.where(troubled, np.minimum(stories.quiet + SET_BACK_DAYS, QUIET_DAYS_MAX),
                       stories.quiet - 1).astype(np.int32)  # fmt: skip
    is_open = stories.leader != NOBODY
    quiet = np.where(is_open, goes_on, 0).astype(np.int32)
    leader = np.where(is_open & (quiet <= 0), NOBODY, stories.leader).astype(np.int16)
    anchors, severities, times = stories.anchors.copy(), stories.severities.copy(), stories.times
    grounds = stories.grounds.copy()
    year = date(academic_year, 8, 1).toordinal() * 2
    for rule, rung in ranked:
        if len(rung.pupils) == 0:
            continue
        opened = rung.pupils[~is_open[rung.pupils]]
        if len(opened):
            is_open[opened] = True
            times = times.copy()
            times[opened] += 1
            leader[opened], quiet[opened] = rule, QUIET_DAYS
            # The n-th story of the year, whatever a later correction does to the day it began.
            anchors[opened] = year + times[opened]
            severities[opened], grounds[opened] = 0, 0
        grounds[rung.pupils] |= np.uint32(1 << rule)
        # What is added later can make the story graver, and never less grave.
        severities[rung.pupils] = np.maximum(severities[rung.pupils], rung.severities)
    return Stories(leader, anchors, severities, times, quiet, grounds)
