"""Signals: what a rule says after a session, as arrays."""

from datetime import date
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import kernel

Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]


SCHOOL = -1
"""The position, in a book, of the school itself: a bell that is about no one pupil."""


@cache
def year_anchor(academic_year: int) -> int:
    """Return the anchor of grounds that are a whole year's: the ordinal of its 1 August."""
    return date(academic_year, 8, 1).toordinal() * 2


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
    if pupils.dtype == np.bool_ and isinstance(severity, Severity):
        # Contiguous, as kernels take them; one anchor for all is as good as one for each.
        since = np.array(anchors, np.int32, ndmin=1)
        return Signals(*_told(np.ascontiguousarray(pupils), since, int(severity)))
    at = np.flatnonzero(pupils) if pupils.dtype == np.bool_ else pupils
    return Signals(
        at.astype(np.int32),
        np.full(len(at), anchors if isinstance(anchors, int) else anchors[at], np.int32),
        np.full(len(at), severity if isinstance(severity, Severity) else severity[at], np.uint8),
    )


@kernel(np.bool_, np.int32, int)
def _told(rings: Bools, anchors: Ints, severity: int) -> tuple[Ints, Ints, NDArray[np.uint8]]:
    """Return the rows of those who ring; `anchors` has one for each pupil, or one for all."""
    count, at = 0, np.empty(len(rings), np.int32)
    for p in range(len(rings)):
        if rings[p]:
            at[count] = p
            count += 1
    since, severities = np.empty(count, np.int32), np.empty(count, np.uint8)
    for n in range(count):
        since[n] = anchors[at[n] if len(anchors) == len(rings) else 0]
        severities[n] = severity
    return at[:count].copy(), since, severities
