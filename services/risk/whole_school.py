"""The whole school: whether so many are away that the day says little about any one of them.

Each session's absence is held against what is usual on that weekday and half of the day. The limit
is that of outbreak detection: a count is unusual when its two-thirds power lies so many standard
deviations above the expected one's, where the variance is what the school's own days have shown.
A wave that rises over weeks crosses no such limit on any one day: a cumulative sum finds it.

Source: Farrington et al., "A statistical algorithm for the early detection of outbreaks of
infectious disease", Journal of the Royal Statistical Society A 159 (1996); that cumulative sums of
counts find slow outbreaks best: Watkins et al., BMC Medical Informatics and Decision Making 8:37
(2008). Figures are ours, see docs/detection.md.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, Codes, mask_of
from services.risk.compiled import kernel

SUDDEN = mask_of("IMNOUG")
"""Absence that can come as a wave. Study leave, suspensions, religious observance and leave (S, E,
R, C) are known beforehand to concern many at once."""

USUAL_AT_FIRST, SPREAD_AT_FIRST = 0.06, 2.0
LEARNT, LEARNT_IN_MASS = 0.02, 0.004
"""How fast what is usual follows the sessions: over five weeks; in a wave hardly at all."""
SLOT_LEARNT = 0.1
SPREAD_MIN, SPREAD_MAX = 1.5, 6.0
DEVIATIONS = 3.3
SETTLING, SETTLING_DEVIATIONS = 20, 2.0
"""In the first sessions little is known of the school: the limit begins so much higher."""
TIMES_MIN, MORE_MIN = 1.5, 6.0
"""It is also half as much again as usual, and so many pupils more."""
OVER_TIMES, OVER_SESSIONS = 1.3, 4
"""Mass absence is over after so many sessions below so many times the usual."""
GRAVE_TIMES = 3.0
WAVE_REFERENCE, WAVE_Z_MAX = 0.75, 2.5
"""Standard deviations above the usual that a session needs to add anything, and most that count."""
WAVE_NEEDED, WAVE_MOST = 12.0, 16.0
"""Sum at which a wave has risen, and the highest: so that its end is seen within days."""
SIZE_SHARE_MIN, SIZE_KEPT = 0.5, 0.99
WEEKDAYS = 7


Usual = tuple[float, tuple[float, ...]]


class WholeSchool(NamedTuple):
    """State after a session."""

    sessions: int = 0
    usual: float = USUAL_AT_FIRST
    """Share of pupils away on a usual session."""
    slots: tuple[float, ...] = (1.0,) * (2 * WEEKDAYS)
    """Each weekday's morning and afternoon, as a multiple of `usual`."""
    spread: float = SPREAD_AT_FIRST
    """Variance of the count over its mean."""
    mass: bool = False
    """Mass absence: it has begun, and is not over."""
    grave: bool = False
    """It has been `GRAVE_TIMES` the usual."""
    risen: float = 0.0
    """Cumulative sum of how far sessions lay above the usual, in standard deviations."""
    wave: bool = False
    """Absence has risen over many sessions, and has not come down again."""
    times: int = 0
    """Mass absences and waves so far."""
    calm: int = 0
    """Sessions since one that was well above the usual."""
    size: float = 0.0
    """Pupils who counted in the fullest of the latest sessions."""
    away: int = 0
    of: int = 0
    expected: float = 0.0
    """The latest session's pupils away, pupils counted, and pupils usually away."""


def step_school(school: WholeSchool, ordinal: int, codes: Codes) -> WholeSchool:
    """Take a session's code numbers, shape (P,)."""
    return step_counts(school, ordinal, *_counts(codes))


@kernel(np.uint8)
def _counts(codes: Codes) -> tuple[int, int]:
    away, of = 0, 0
    for p in range(len(codes)):
        away += SUDDEN[codes[p]]
        of += POSSIBLE[codes[p]]
    return away, of


def step_counts(school: WholeSchool, ordinal: int, away: int, of: int) -> WholeSchool:
    """Take a session in which `away` of `of` pupils were away.

    A session of which the registers of less than half the school have come says nothing yet.
    """
    if of < max(1.0, SIZE_SHARE_MIN * school.size):
        return school
    slot = (ordinal - 2) % (2 * WEEKDAYS)
    expected = school.usual * school.slots[slot] * of
    times = away / max(expected, 1.0)
    settled = max(0.0, 1 - school.sessions / SETTLING) * SETTLING_DEVIATIONS
    begins = (
        away >= expected + MORE_MIN
        and times >= TIMES_MIN
        and away >= _limit(expected, school.spread, DEVIATIONS + settled)
    )
    calm = 0 if times >= OVER_TIMES else school.calm + 1
    mass = begins or (school.mass and calm < OVER_SESSIONS)
    risen = _risen(school, away, expected)
    wave = risen >= WAVE_NEEDED or (school.wave and risen > 0)
    was_usual = not (school.mass or school.wave)
    usual, slots = _learnt(school, slot, away / of, mass=mass or wave)
    return WholeSchool(
        sessions=school.sessions + 1,
        usual=usual,
        slots=slots,
        spread=_spread(school, away, expected, mass=mass),
        mass=mass,
        grave=mass and (school.grave or (begins and times >= GRAVE_TIMES)),
        risen=risen,
        wave=wave,
        times=school.times + (was_usual and (mass or wave)),
        calm=calm,
        size=max(of, SIZE_KEPT * school.size),
        away=away,
        of=of,
        expected=expected,
    )


def _limit(expected: float, spread: float, deviations: float) -> float:
    expected = max(expected, 1.0)
    return float(expected * (1 + 2 / 3 * deviations * (spread / expected) ** 0.5) ** 1.5)


def _risen(school: WholeSchool, away: int, expected: float) -> float:
    if school.sessions < SETTLING:
        return 0.0
    deviations = (away - expected) / sqrt(school.spread * max(expected, 1.0))
    risen = school.risen + min(deviations, WAVE_Z_MAX) - WAVE_REFERENCE
    return min(max(risen, 0.0), WAVE_MOST)


def _spread(school: WholeSchool, away: int, expected: float, *, mass: bool) -> float:
    if mass:
        return school.spread
    seen = (away - expected) ** 2 / max(expected, 1.0)
    spread = school.spread + LEARNT * (min(seen, 4 * SPREAD_MAX) - school.spread)
    return min(max(spread, SPREAD_MIN), SPREAD_MAX)


def _learnt(school: WholeSchool, slot: int, share: float, *, mass: bool) -> Usual:
    early = 1 / (school.sessions + 5)
    weight = LEARNT_IN_MASS if mass else max(LEARNT, early)
    usual = school.usual + weight * (share / school.slots[slot] - school.usual)
    if mass:
        return usual, school.slots
    slots = list(school.slots)
    seen = min(max(share / max(usual, 0.005), 0.5), 2.0)
    slots[slot] += SLOT_LEARNT * (seen - slots[slot])
    return usual, tuple(slots)
