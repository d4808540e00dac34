"""Who works with which pupil of a book, and from which day on that changes."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from libs.common.events import Involvement

WORKER_ROLES = frozenset({"social_worker", "youth_justice_worker"})
URGENT_FOOTINGS = frozenset({"child_protection_plan", "missing_or_exploitation_risk"})
"""Footings on which a day's delay may matter: `Column.worker` is 2. Ours, not guidance's."""


def levels_on(
    day: date, involvements: Mapping[int, Sequence[Involvement]], pupils: int
) -> NDArray[np.uint8]:
    """Return `Column.worker` of a day for so many pupils."""
    levels = np.zeros(pupils, np.uint8)
    for position, theirs in involvements.items():
        for one in theirs:
            if one.starts_on <= day and (one.ends_on is None or day <= one.ends_on):
                level = 2 if one.footing in URGENT_FOOTINGS else 1
                levels[position] = max(levels[position], level)
    return levels


def turns_of(involvements: Mapping[int, Sequence[Involvement]]) -> list[int]:
    """Return the days on which it changes who works with whom, as their ordinals, in order."""
    turns = set()
    for one in chain.from_iterable(involvements.values()):
        turns.add(one.starts_on.toordinal())
        if one.ends_on is not None:
            turns.add(one.ends_on.toordinal() + 1)
    return sorted(turns)
