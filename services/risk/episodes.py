"""Episodes: for whom a rule rings, from the session after which it first rang to its end."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import kernel
from services.risk.signals import Ints, Signals

Severities = NDArray[np.uint8]


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
Episodes = dict[EpisodeKey, Episode]


class Entry(NamedTuple):
    """What a session writes into a rule's episodes."""

    rule: int
    """The rule's place among all."""
    pupil: int
    anchor: int
    rings: bool
    """Whether it rings now, anew or not as before; otherwise it has ended."""
    severity: int
    grounds: int = 0


Changes = NDArray[np.int64]
"""The fields of entries, shape (K, 6)."""


def noted(
    known: tuple[Episodes, ...], entries: Iterable[Sequence[int]], ordinal: int
) -> tuple[Episodes, ...]:
    """Return each rule's episodes after a session that brought these entries, field by field."""
    every = list(known)
    for rule, pupil, anchor, rings, severity, grounds in entries:
        if every[rule] is known[rule]:
            every[rule] = dict(known[rule])
        episodes, key = every[rule], (pupil, anchor)
        if rings:
            since, worst, _, _ = episodes.get(key) or (ordinal, severity, None, 0)
            episodes[key] = Episode(since, max(worst, severity), None, grounds)
        else:
            since, worst, _, earlier = episodes[key]
            episodes[key] = Episode(since, worst, ordinal, earlier)
    return tuple(every)


def ringing(episodes: Episodes) -> Signals:
    """Return those that have not ended."""
    rows = sorted((*key, one.severity) for key, one in episodes.items() if one.until is None)
    pupils, anchors, severities = zip(*rows, strict=True) if rows else ((), (), ())
    return Signals(
        np.array(pupils, np.int32), np.array(anchors, np.int32), np.array(severities, np.uint8)
    )


def between(rule: int, before: Signals, after: Signals) -> list[Entry]:
    """Return the entries that lead from what a rule said to what it says."""
    rows, gone = _differences(*before, *after)
    ended = zip(*(column[rows[:gone]].tolist() for column in before), strict=True)
    turned = zip(*(column[rows[gone:]].tolist() for column in after), strict=True)
    return [
        *(Entry(rule, pupil, anchor, False, severity) for pupil, anchor, severity in ended),
        *(Entry(rule, pupil, anchor, True, severity) for pupil, anchor, severity in turned),
    ]


@kernel(np.int32, np.int32, np.uint8, np.int32, np.int32, np.uint8, checked=True)
def _differences(
    was: Ints,
    was_since: Ints,
    was_severe: Severities,
    now: Ints,
    now_since: Ints,
    now_severe: Severities,
) -> tuple[Ints, int]:
    """Return the rows that ring no more, then those that ring anew or not as before.

    Also how many the first are. Both sides are signals, column by column, sorted.
    """
    ended, turned = np.empty(len(was), np.int32), np.empty(len(now), np.int32)
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
            if was_severe[m] != now_severe[n]:
                turned[came] = n
                came += 1
            m, n = m + 1, n + 1
    return np.concatenate((ended[:gone], turned[:came])), gone
