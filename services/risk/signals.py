"""Signals: what a rule says after a session, as arrays."""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]


SCHOOL = -1
"""The position, in a book, of the school itself: a bell that is about no one pupil."""


class Severity(IntEnum):
    """How soon a person should look: at leisure, the same morning, at once."""

    notice = 1
    warning = 2
    urgent = 3


class Signals(NamedTuple):
    """What a rule says after a session: one row for each pupil and grounds, sorted by both."""

    pupils: Ints
    """Positions in the book, or `SCHOOL`, int32, shape (K,)."""
    anchors: Ints
    """Ordinal of the session (or day x 2, or year) with which the grounds began, int32, (K,).

    Pupil, kind and anchor make the bell the same bell: choose one that a late register or a later
    correction is least likely to move.
    """
    severities: NDArray[np.uint8]
    """`Severity`, uint8, shape (K,)."""
    grounds: NDArray[np.uint32] | None = None
    """Of a story, the places of the rules that rang in it, as bits, shape (K,)."""


NOTHING = Signals(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))
"""Nobody rings."""


def about_school(anchor: int, severity: Severity) -> Signals:
    """Make the signals of a rule on schools: its own bell rings."""
    return Signals(
        np.array([SCHOOL], np.int32), np.array([anchor], np.int32), np.array([severity], np.uint8)
    )


def signals(
    pupils: NDArray[np.integer[Any]] | Bools,
    anchors: Ints | int,
    severity: Severity | NDArray[np.uint8],
) -> Signals:
    """Make a rule's signals from a mask or positions, each with an anchor and a severity.

    Arrays of shape (P,) are indexed by the pupils that ring; a single value is for all of them.
    """
    at = np.flatnonzero(pupils) if pupils.dtype == np.bool_ else pupils
    since, severities = np.empty(len(at), np.int32), np.empty(len(at), np.uint8)
    since[:] = anchors if isinstance(anchors, int) else anchors[at]
    severities[:] = severity if isinstance(severity, Severity) else severity[at]
    return Signals(at.astype(np.int32), since, severities)
