"""Shapes of episodes: which sessions of a stretch of school days they hit.

N days of the stretch. A shape is a function (rng, stretch, intensity) -> bool, shape (N, 2), am and
pm; `intensity` multiplies the chance of a hit. All chances are ours.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.simulator.spells import Bools, Floats

GOES_ON = 0.4
"""Chance, at the least, that absence on one day goes on on the next."""
HALF_SHARE = 0.1
"""Share of missed days of which only one session is missed."""


class Stretch(NamedTuple):
    """School days in a row: their weekdays, Monday 0, and weeks since the year's first; (N,)."""

    weekday: NDArray[np.intp]
    week: NDArray[np.intp]


Shape = Callable[[np.random.Generator, Stretch, float], Bools]


def steep(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """From one day on, 30 to 70 % of days."""
    chance = np.full(len(stretch.week), _between(rng, 0.3, 0.7) * intensity)
    return _days(rng, _runs(rng, chance))


def gradual(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """More and more over six weeks, up to 40 to 70 % of days."""
    top = _between(rng, 0.4, 0.7) * intensity
    return _days(rng, _runs(rng, _rising(len(stretch.week), 0.05, top, 30)))


def drift(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """From 3 % to 15 % or a little more in four weeks, and no further."""
    top = _between(rng, 0.13, 0.2) * intensity
    return _days(rng, _runs(rng, _rising(len(stretch.week), 0.03, top, 20)))


def again(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """A quarter to half of days, after a return."""
    chance = np.full(len(stretch.week), _between(rng, 0.25, 0.5) * intensity)
    return _days(rng, _runs(rng, chance))


def weekdays(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """One weekday, or two, or one of every other week."""
    order = rng.choice(5, 2, replace=False, p=(0.3, 0.1, 0.05, 0.1, 0.45))
    variant = rng.random()
    chosen = stretch.weekday == order[0]
    if variant < 0.25:
        chosen |= stretch.weekday == order[1]
    elif variant < 0.45:
        chosen &= stretch.week % 2 == stretch.week[0] % 2
    hit = chosen & (rng.random(len(chosen)) < _between(rng, 0.8, 1.0) * intensity)
    return np.asarray(np.repeat(hit[:, None], 2, axis=1))


def afternoons(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """Afternoons after a morning in school."""
    return _one_half(rng, len(stretch.week), _between(rng, 0.35, 0.8) * intensity, 1)


def mornings(rng: np.random.Generator, stretch: Stretch, intensity: float) -> Bools:
    """Mornings; for lateness."""
    return _one_half(rng, len(stretch.week), _between(rng, 0.45, 0.8) * intensity, 0)


def throughout(rng: np.random.Generator, stretch: Stretch, _intensity: float) -> Bools:
    """Every day."""
    return np.ones((len(stretch.week), 2), np.bool_)


def nearly_throughout(rng: np.random.Generator, stretch: Stretch, _intensity: float) -> Bools:
    """All but a few days; for a long illness."""
    hit = rng.random(len(stretch.week)) < _between(rng, 0.88, 1.0)
    return np.asarray(np.repeat(hit[:, None], 2, axis=1))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _rising(days: int, low: float, top: float, over: int) -> Floats:
    return np.asarray(low + (top - low) * np.clip(np.arange(days) / over, 0, 1))


def _runs(rng: np.random.Generator, chance: Floats) -> Bools:
    """Return days away, shape (N,), each so likely; one leads to the next, as absence does."""
    chance = np.clip(chance, 0, 0.9)
    goes_on = np.maximum(GOES_ON, chance)
    begins = chance * (1 - goes_on) / (1 - chance)
    hit = np.zeros(len(chance), np.bool_)
    away = False
    for day, drawn in enumerate(rng.random(len(chance)).tolist()):
        away = hit[day] = drawn < (goes_on if away else begins)[day]
    return hit


def _days(rng: np.random.Generator, hit: Bools) -> Bools:
    sessions = np.repeat(hit[:, None], 2, axis=1)
    half = np.flatnonzero(rng.random(len(hit)) < HALF_SHARE)
    sessions[half, rng.integers(0, 2, len(half))] = False
    return np.asarray(sessions)


def _one_half(rng: np.random.Generator, days: int, chance: float, half: int) -> Bools:
    sessions = np.zeros((days, 2), np.bool_)
    sessions[:, half] = rng.random(days) < chance
    return sessions
