"""Pure: how a pupil's attendance went on after a bell, beside pupils whose absence had been alike.

Absence that made a bell ring falls again in most pupils, whatever is done: it was chosen for being
high. So a pupil is held against others whose absence before was as high, and for whom nothing rang.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE
from libs.common.events import Spell
from services.risk.attendance_counts import Marks

DAYS = 20
"""School days before, the day on which it rang among them, and after."""
DAYS_BEFORE_MIN = 10
"""Early in a school's book there are fewer before."""
ALIKE, ALIKE_MIN = 10, 5
NEAR = 0.1
"""Pupils alike missed a share of their sessions before that differs by no more than this."""


class Windows(NamedTuple):
    """Which sessions are before and which after, as rows of the marks, bool, shape (S,)."""

    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    first: int
    """Day numbers of the first school day before and the last one after."""
    last: int


def windows_of(marks: Marks, rang_on: date) -> Windows | None:
    """Return the school days around a bell; None: those after it are not over."""
    numbers = marks.ordinals // 2
    days, rang = np.unique(numbers), rang_on.toordinal()
    before, after = days[days <= rang][-DAYS:], days[days > rang][:DAYS]
    if len(after) < DAYS or not len(before):
        return None
    rows = (np.isin(numbers, before), np.isin(numbers, after))
    return Windows(*rows, int(before[0]), int(after[-1]))


def follow(
    marks: Marks, windows: Windows, pupil: int, free: NDArray[np.bool_]
) -> tuple[Spell, Spell | None] | None:
    """Return the pupil's sessions, and those of pupils alike added up, if there are enough.

    Args:
        pupil: the pupil's column in the marks.
        free: pupils for whom nothing rang in that time, bool, shape (P,).

    Returns:
        None if the pupil had no possible session before or after, or too few days came before.
    """
    counts = np.stack(
        [
            table[marks.codes[rows]].sum(axis=0, dtype=np.int64)
            for rows in (windows.before, windows.after)
            for table in (POSSIBLE, ABSENT)
        ]
    )  # shape (4, P): possible and missed before, possible and missed after
    days = len(np.unique(marks.ordinals[windows.before] // 2))
    if days < DAYS_BEFORE_MIN or not (counts[0, pupil] and counts[2, pupil]):
        return None
    return _spell(counts[:, [pupil]]), _alike(counts, pupil, free)


def _alike(counts: NDArray[np.int64], pupil: int, free: NDArray[np.bool_]) -> Spell | None:
    can = free & (counts[0] * 2 >= counts[0, pupil]) & (counts[2] * 2 >= counts[2, pupil])
    can[pupil] = False
    rates = counts[1] / np.maximum(counts[0], 1)
    far = np.abs(rates - rates[pupil])
    places = np.flatnonzero(can & (far <= NEAR))
    if len(places) < ALIKE_MIN:
        return None
    # The nearest first; of equally near ones those who are earlier in the book.
    return _spell(counts[:, places[np.argsort(far[places], kind="stable")][:ALIKE]])


def _spell(counts: NDArray[np.int64]) -> Spell:
    possible_before, missed_before, possible_after, missed_after = counts.sum(axis=1).tolist()
    return Spell(
        possible_before=possible_before,
        missed_before=missed_before,
        possible_after=possible_after,
        missed_after=missed_after,
    )
