"""Episodes: for whom a rule rings, from the session after which it first rang to its end."""

from typing import Any, NamedTuple

import numpy as np

from services.risk.compiled import inlined, kernel
from services.risk.pupil_days import Rows
from services.risk.signals import Ints, Signals

ROW = np.dtype(
    [
        ("pupil", np.int32),
        ("anchor", np.int32),
        ("severity", np.uint8),
        ("grounds", np.uint32),
    ],
    align=True,
)
"""A row of `Signals`."""


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
    ended, turned = _differences(_rows(before), _rows(after))
    if not (len(ended) or len(turned)):
        return known
    episodes = dict(known)
    for n in ended.tolist():
        key = int(before.pupils[n]), int(before.anchors[n])
        episodes[key] = episodes[key]._replace(until=ordinal)
    for n in turned.tolist():
        key = int(after.pupils[n]), int(after.anchors[n])
        severity = int(after.severities[n])
        grounds = 0 if after.grounds is None else int(after.grounds[n])
        earlier = episodes.get(key) or Episode(ordinal, severity, None)
        episodes[key] = Episode(earlier.since, max(earlier.severity, severity), None, grounds)
    return episodes


def _rows(rows: Signals) -> Rows:
    packed = np.empty(len(rows.pupils), ROW)
    packed["pupil"], packed["anchor"] = rows.pupils, rows.anchors
    packed["severity"], packed["grounds"] = (
        rows.severities,
        0 if rows.grounds is None else rows.grounds,
    )
    return packed


@inlined
def _comes_first(one: Any, other: Any) -> Any:
    return one.pupil < other.pupil or (one.pupil == other.pupil and one.anchor < other.anchor)


@kernel(ROW, ROW)
def _differences(was: Rows, now: Rows) -> tuple[Ints, Ints]:
    """Return which rows ring no more, and which ring anew or otherwise; both sides are sorted."""
    ended, turned = np.empty(len(was), np.int32), np.empty(len(now), np.int32)
    gone, came, m, n = 0, 0, 0, 0
    while m < len(was) or n < len(now):
        if n == len(now) or (m < len(was) and _comes_first(was[m], now[n])):
            ended[gone] = m
            gone, m = gone + 1, m + 1
        elif m == len(was) or _comes_first(now[n], was[m]):
            turned[came] = n
            came, n = came + 1, n + 1
        else:
            if was[m].severity != now[n].severity or was[m].grounds != now[n].grounds:
                turned[came] = n
                came += 1
            m, n = m + 1, n + 1
    return ended[:gone].copy(), turned[:came].copy()
