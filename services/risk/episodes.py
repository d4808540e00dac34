"""Episodes: for whom a rule rings, from the session after which it first rang to its end."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import kernel
from services.risk.signals import Ints, Signals

Severities = NDArray[np.uint8]
Grounds = NDArray[np.uint32]


class Episode(NamedTuple):
    """A rule's finding about one pupil, from the session it first rang in to the one it ended."""

    since: int
    """Ordinal of the session after which it first rang."""
    severity: int
    """The highest so far."""
    until: int | None
    """Ordinal of the session after which it no longer rang; None while it rings."""
    grounds: int = 0
    """Places of the emerging rules that rang in its story, as bits; 0: it is no story."""


EpisodeKey = tuple[int, int]
"""A pupil's position in the book (`SCHOOL` for the school itself), and the anchor."""


def noted(
    known: dict[EpisodeKey, Episode], before: Signals, after: Signals, ordinal: int
) -> dict[EpisodeKey, Episode]:
    """Return a rule's episodes after a session, given what rang before and after it."""
    rows, gone = _differences(*before, *after)
    if not len(rows):
        return known
    episodes, differing = dict(known), rows.tolist()
    for n in differing[:gone]:
        key = int(before.pupils[n]), int(before.anchors[n])
        since, severity, _, grounds = episodes[key]
        episodes[key] = Episode(since, severity, ordinal, grounds)
    for n in differing[gone:]:
        key = int(after.pupils[n]), int(after.anchors[n])
        severity = int(after.severities[n])
        grounds = int(after.grounds[n]) if len(after.grounds) else 0
        earlier = episodes.get(key) or Episode(ordinal, severity, None)
        episodes[key] = Episode(earlier.since, max(earlier.severity, severity), None, grounds)
    return episodes


@kernel(
    np.int32, np.int32, np.uint8, np.uint32, np.int32, np.int32, np.uint8, np.uint32, checked=True
)  # fmt: skip
def _differences(  # noqa: PLR0913  (two sets of signals, column by column)
    was: Ints,
    was_since: Ints,
    was_severe: Severities,
    was_on: Grounds,
    now: Ints,
    now_since: Ints,
    now_severe: Severities,
    now_on: Grounds,
) -> tuple[Ints, int]:
    """Return the rows that ring no more, then those that ring anew or not as before.

    Also how many the first are. Both sides are sorted.
    """
    ended, turned = np.empty(len(was), np.int32), np.empty(len(now), np.int32)
    stories = len(was_on) == len(was) and len(now_on) == len(now)
    gone, came, m, n = 0, 0, 0, 0
    while m < len(was) or n < len(now):
        # Below zero: the earlier side's row comes first; above: the later side's.
        order = -1 if n == len(now) else 1 if m == len(was) else was[m] - now[n]
        if order == 0:
            order = was_since[m] - now_since[n]
        if order < 0:
            ended[gone] = m
            gone, m = gone + 1, m + 1
        elif order > 0:
            turned[came] = n
            came, n = came + 1, n + 1
        else:
            if was_severe[m] != now_severe[n] or (stories and was_on[m] != now_on[n]):
                turned[came] = n
                came += 1
            m, n = m + 1, n + 1
    return np.concatenate((ended[:gone], turned[:came])), gone
