"""Groups of pupils of one year group who keep missing the same sessions together."""

from collections.abc import Iterator

import numpy as np

from libs.simulator.people import Pupil
from libs.simulator.spells import Bools

GROUP = "group-absence"
SIZES = (2, 5)
TIMES = (4, 10)
SCHOOL_DAYS = (20, 45)
"""Least and most pupils, sessions or days missed together, and school days that it goes on."""
GROUP_MEAN = sum(SIZES) / 2
AFTERNOONS_SHARE = 0.6
"""Share of groups that miss afternoons; the others miss days."""


def go_together(
    rng: np.random.Generator, days: int, pupils: tuple[Pupil, ...], free: list[int], groups: int
) -> Iterator[tuple[int, Bools]]:
    """Yield pupils with the sessions that their group misses, bool, shape (2 x days,).

    Args:
        free: pupils to take from; those who are taken are removed.
        groups: how many, or fewer where a year group has too few free.
    """
    for _ in range(groups):
        members = _members(rng, pupils, free, int(rng.integers(SIZES[0], SIZES[1] + 1)))
        missed = _missed(rng, days)
        for column in members:
            free.remove(column)
            yield column, missed


def _members(
    rng: np.random.Generator, pupils: tuple[Pupil, ...], free: list[int], size: int
) -> list[int]:
    first = free[int(rng.integers(len(free)))]
    fellows = [c for c in free if pupils[c].year_group == pupils[first].year_group]
    return fellows[:size] if len(fellows) >= SIZES[0] else []


def _missed(rng: np.random.Generator, days: int) -> Bools:
    times = int(rng.integers(TIMES[0], TIMES[1] + 1))
    lasts = int(rng.integers(SCHOOL_DAYS[0], SCHOOL_DAYS[1] + 1))
    start = int(rng.integers(20, days - lasts))  # a month of the usual comes first
    chosen = start + rng.choice(lasts, times, replace=False)
    missed = np.zeros(2 * days, np.bool_)
    missed[2 * chosen + 1] = True
    if rng.random() >= AFTERNOONS_SHARE:
        missed[2 * chosen] = True
    return missed
