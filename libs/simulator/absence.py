"""A school's ordinary year: who is absent how often, with which code, on which sessions.

D calendar days, T school days, S = 2T sessions (morning first), P pupils.
"""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from libs.common.codes import NUMBERS, Codes
from libs.simulator.calendar import Calendar
from libs.simulator.climate import Climate
from libs.simulator.dfe import PUBLISHED, RANKS, Phase, Tendency
from libs.simulator.people import Pupil
from libs.simulator.spells import Bools, Floats, Lengths, rhythm_of, season_of, spells

HEAVY_FROM = 0.4
"""Tendency from which on a pupil's absence has the heavy mix of codes."""


class Layer(NamedTuple):
    """One code's spells. `heavy` is its share of the absence of the most absent pupils.

    `part` is the share of its days missed only in the morning, and only in the afternoon. `weekday`
    is how likely a spell is to begin, Monday to Sunday; it goes on through the weekend.
    """

    code: str
    figure: str
    heavy: dict[Phase, float]
    lengths: Lengths
    part: tuple[float, float]
    weekday: tuple[float, ...] = (1, 1, 1, 1, 1.05, 0.8, 0.8)


class Wave(NamedTuple):
    """The winter's illness in one authority: its worst day and its height over a usual day."""

    peak: date
    height: float


ONE = Lengths((1,), (1.0,))
LAYERS = (
    Layer("C", "part_time", {"primary": 0.10, "secondary": 0.08},
          Lengths((19, 33), (0.5, 0.5)), (0.0, 1.0)),
    Layer("E", "suspended", {"primary": 0.03, "secondary": 0.05},
          Lengths((1, 2, 3, 5), (0.4, 0.3, 0.2, 0.1)), (0.0, 0.1)),
    Layer("C", "leave", {"primary": 0.04, "secondary": 0.03}, ONE, (0.1, 0.2)),
    Layer("O", "unauthorised", {"primary": 0.40, "secondary": 0.55},
          Lengths((1, 2, 3, 5, 9, 16), (0.55, 0.2, 0.1, 0.08, 0.05, 0.02)), (0.08, 0.17),
          (1.05, 1, 1, 1, 1.15, 0.7, 0.75)),
    Layer("I", "illness", {"primary": 0.39, "secondary": 0.25},
          Lengths((1, 2, 3, 4, 6, 9, 14), (0.47, 0.22, 0.12, 0.08, 0.06, 0.035, 0.015)),
          (0.03, 0.08), (1, 1, 1, 1, 1.75, 0.65, 0.7)),
    Layer("M", "appointment", {"primary": 0.02, "secondary": 0.02}, ONE, (0.35, 0.45)),
    Layer("U", "after_close", {"primary": 0.02, "secondary": 0.02}, ONE, (0.97, 0.03)),
)  # fmt: skip
"""Drawn in this order: a day that one has taken, another does not get."""


def tendencies(
    rng: np.random.Generator,
    phase: Phase,
    pupils: tuple[Pupil, ...],
    tendency: Tendency,
    climate: Climate,
) -> Floats:
    """Return the share of sessions that each pupil tends to miss, shape (P,).

    A pupil's rank in the school decides: chance, then free meals and a worker push it up.

    Args:
        tendency: what a pupil of each rank tends to miss.
    """
    score = rng.random(len(pupils))
    score += 0.20 * np.array([p.free_meals for p in pupils])
    score += 0.25 * np.array([p.footing is not None for p in pupils])
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(pupils))
    ranks[order] = (np.arange(len(pupils)) + 0.5) / len(pupils)
    school = 0.94 + 0.12 * rng.random()
    return np.round(school * climate.absence * np.interp(ranks, RANKS, tendency[phase]), 9)


_UNAUTHORISED, _ILLNESS = (
    next(n for n, layer in enumerate(LAYERS) if layer.code == code) for code in "OI"
)


def at_even_ranks(phase: Phase, tendency: Tendency) -> Floats:
    """Return the tendencies of 2,000 pupils at even ranks, shape (2000,)."""
    ranks = (np.arange(2000) + 0.5) / 2000
    return np.asarray(np.interp(ranks, RANKS, tendency[phase]))


def shares_of(phase: Phase, tendency: Floats, usual: Floats, climate: Climate) -> Floats:
    """Return each layer's share of sessions for each pupil, shape (layers, P).

    The most absent have the heavy mix; the mix of the others is what is left of the published
    figures after them. Each is given as a share of what the layers before it leave.

    Args:
        usual: the tendencies of pupils at even ranks, which the published figures are spread over.
    """
    weight = float((usual * np.minimum(1, usual / HEAVY_FROM)).sum() / usual.sum())
    figures = np.array([getattr(PUBLISHED[phase], layer.figure) for layer in LAYERS])
    heavy = np.array([layer.heavy[phase] for layer in LAYERS])
    for mix in (figures, heavy):
        moved = mix[_UNAUTHORISED] * (climate.unauthorised - 1)
        mix[_UNAUTHORISED] += moved
        mix[_ILLNESS] -= moved
    mild = np.clip((figures / figures.sum() - weight * heavy) / (1 - weight), 0, None)
    far = np.minimum(1, tendency / HEAVY_FROM)
    shares = tendency * (mild[:, None] * (1 - far) + heavy[:, None] * far)
    before = np.vstack([np.zeros(len(tendency)), np.cumsum(shares, axis=0)[:-1]])
    return np.asarray(shares / (1 - np.minimum(0.95, before)))


def ordinary_year(
    rng: np.random.Generator, calendar: Calendar, shares: Floats, wave: Wave, climate: Climate
) -> Codes:
    """Return a year's codes but for holidays, lateness and episodes, uint8, shape (S, P).

    Args:
        shares: each layer's share of sessions for each pupil, as `shares_of` returns them.
    """
    first = calendar.days[0]
    span = (calendar.days[-1] - first).days + 1
    days = [first + timedelta(n) for n in range(span)]
    open_days = np.isin(np.arange(span), [(day - first).days for day in calendar.days])
    near = wave._replace(peak=wave.peak + timedelta(int(rng.integers(-5, 6))))
    codes = np.zeros((2 * len(calendar.days), shares.shape[1]), np.uint8)
    for layer, share in zip(LAYERS, shares, strict=True):
        season = season_of(days, *near) if layer.code == "I" else np.ones(span)
        weekday = friday_of(layer, climate)
        rhythm = rhythm_of(days, open_days, season, weekday, layer.lengths)
        missed = 1 - sum(layer.part) / 2  # sessions of a day in a spell, as a share
        in_spell = spells(rng, share / missed, rhythm, layer.lengths)[open_days]
        sessions = halves(rng, in_spell, layer.part)
        codes[sessions & (codes == 0)] = NUMBERS[layer.code]
    return codes


def friday_of(layer: Layer, climate: Climate) -> tuple[float, ...]:
    """Return how likely the layer's spells are to begin on each weekday, in this climate."""
    friday = 1 + (layer.weekday[4] - 1) * climate.friday
    return (*layer.weekday[:4], friday, *layer.weekday[5:])


def halves(rng: np.random.Generator, days: Bools, part: tuple[float, float]) -> Bools:
    """Split days, shape (T, P), into sessions, shape (S, P); `part` as in `Layer`."""
    drawn = rng.random(days.shape)
    sessions = np.repeat(days, 2, axis=0)
    sessions[1::2] &= drawn >= part[0]
    sessions[0::2] &= (drawn < part[0]) | (drawn >= part[0] + part[1])
    return sessions
