"""Spells: runs of days that begin by chance, so often that a wanted share of days comes out.

D calendar days, P pupils.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Lengths(NamedTuple):
    """How long spells last: calendar days, and the chance of each length."""

    days: tuple[int, ...]
    chances: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean length in days."""
        return sum(d * c for d, c in zip(self.days, self.chances, strict=True))

    def longer_than(self, days: int) -> float:
        """Return the chance that a spell lasts more than `days` days."""
        return sum(c for d, c in zip(self.days, self.chances, strict=True) if d > days)


def spells(rng: np.random.Generator, share: Floats, rhythm: Floats, lengths: Lengths) -> Bools:
    """Return the days on which each pupil is in a spell, bool, shape (D, P).

    Args:
        share: share of school days wanted in a spell, shape (P,).
        rhythm: how likely a spell is to begin on each day, shape (D,), as `rhythm_of` scales it.
        lengths: how long they last.
    """
    # Runs may overlap. Rounded, for the last bit of a logarithm is not the same on every machine.
    begin = np.round(-np.log1p(-np.clip(share, 0, 0.97)) / lengths.mean, 9)
    shape = (len(rhythm), len(share))
    starts = rng.random(shape) < rhythm[:, None] * begin[None, :]
    chosen = np.searchsorted(np.cumsum(lengths.chances)[:-1], rng.random(shape), side="right")
    length = np.where(starts, np.array(lengths.days)[chosen], 0)
    covered = np.zeros(shape, np.bool_)
    for day in range(min(max(lengths.days), len(rhythm))):
        covered[day:] |= length[: len(rhythm) - day] > day
    return covered


def rhythm_of(
    days: list[date],
    school_days: Bools,
    season: Floats,
    weekday: tuple[float, ...],
    lengths: Lengths,
) -> Floats:
    """Return how likely spells are to begin on each calendar day, shape (D,).

    Scaled so that school days are covered `lengths.mean` times as often as a spell begins: then
    the share of days that was asked for comes out, whatever the season and the week do.
    """
    raw = season * np.array([weekday[day.weekday()] for day in days])
    covered = np.zeros(len(days))
    for day in range(max(lengths.days)):
        covered[day:] += raw[: len(days) - day] * lengths.longer_than(day)
    scaled: Floats = np.round(raw * lengths.mean / covered[school_days].mean(), 9)
    return scaled


def season_of(days: list[date], peak: date, height: float) -> Floats:
    """Return how much illness is about on each day, shape (D,): a year's course and a winter wave.

    Args:
        peak: the wave's worst day.
        height: what the wave adds on that day to a usual day's 1; it lasts three weeks each way.
    """
    months = np.array([day.month for day in days])
    course = np.array([1.2, 1.15, 1.05, 0.95, 0.85, 0.85, 0.8, 0.6, 0.65, 0.9, 1.1, 1.3])
    away = np.abs(np.array([day.toordinal() for day in days]) - peak.toordinal())
    wave: Floats = course[months - 1] + height * np.clip(1 - away / 21, 0, 1)
    return wave
