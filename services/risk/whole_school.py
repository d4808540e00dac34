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
from typing import Any

import numpy as np

from libs.common.codes import mask_of
from services.risk.compiled import inlined, kernel
from services.risk.pupil_days import Rows

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


WHOLE_SCHOOL = np.dtype(
    [
        # Sessions so far.
        ("sessions", np.int64),
        # Share of pupils away on a usual session.
        ("usual", np.float64),
        # Each weekday's morning and afternoon, as a multiple of that.
        ("slots", np.float64, 2 * WEEKDAYS),
        # Variance of the count over its mean.
        ("spread", np.float64),
        # Cumulative sum of how far sessions lay above the usual, in standard deviations.
        ("risen", np.float64),
        # Pupils who counted in the fullest of the latest sessions.
        ("size", np.float64),
        # Mass absences and waves so far.
        ("times", np.int64),
        # Sessions since one that was well above the usual.
        ("calm", np.int64),
        # The latest session's pupils away, pupils counted, and pupils usually away.
        ("away", np.int64),
        ("of", np.int64),
        ("expected", np.float64),
        # Mass absence: it has begun, and is not over. It has been `GRAVE_TIMES` the usual.
        ("mass", np.bool_),
        ("grave", np.bool_),
        # Absence has risen over many sessions, and has not come down again.
        ("wave", np.bool_),
    ],
    align=True,
)
"""State after a session."""


def start_school() -> Rows:
    """Return the state before the first session: of `WHOLE_SCHOOL`, shape (1,)."""
    school = np.zeros(1, WHOLE_SCHOOL)
    school["usual"], school["slots"], school["spread"] = USUAL_AT_FIRST, 1.0, SPREAD_AT_FIRST
    return school


@inlined
def _limit(expected: float, spread: float, sessions: int) -> float:
    settled = max(0.0, 1 - sessions / SETTLING) * SETTLING_DEVIATIONS
    expected = max(expected, 1.0)
    base = 1 + 2 / 3 * (DEVIATIONS + settled) * sqrt(spread / expected)
    return expected * base * sqrt(base)  # to the power of 1.5


@inlined
def _risen(sessions: int, risen: float, spread: float, away: int, expected: float) -> float:
    if sessions < SETTLING:
        return 0.0
    deviations = (away - expected) / sqrt(spread * max(expected, 1.0))
    risen += min(deviations, WAVE_Z_MAX) - WAVE_REFERENCE
    return min(max(risen, 0.0), WAVE_MOST)


@inlined
def _spread(spread: float, away: int, expected: float) -> float:
    seen = (away - expected) ** 2 / max(expected, 1.0)
    spread += LEARNT * (min(seen, 4 * SPREAD_MAX) - spread)
    return min(max(spread, SPREAD_MIN), SPREAD_MAX)


@inlined
def _learnt(
    sessions: int, usual: float, multiple: float, share: float, mass: bool
) -> tuple[float, float]:
    weight = LEARNT_IN_MASS if mass else max(LEARNT, 1 / (sessions + 5))
    usual += weight * (share / multiple - usual)
    if not mass:
        seen = min(max(share / max(usual, 0.005), 0.5), 2.0)
        multiple += SLOT_LEARNT * (seen - multiple)
    return usual, multiple


@inlined
def take_school(school: Any, ordinal: int, away: int, of: int) -> None:
    """Take a session in which `away` of `of` pupils were away.

    A session of which the registers of less than half the school have come says nothing yet.
    """
    if of < max(1.0, SIZE_SHARE_MIN * school.size):
        return
    slot = (ordinal - 2) % (2 * WEEKDAYS)
    sessions, spread, multiple = school.sessions, school.spread, school.slots[slot]
    was_mass, was_wave = school.mass, school.wave
    expected = school.usual * multiple * of
    over = away / max(expected, 1.0)
    begins = (
        away >= expected + MORE_MIN
        and over >= TIMES_MIN
        and away >= _limit(expected, spread, sessions)
    )
    school.calm = 0 if over >= OVER_TIMES else school.calm + 1
    mass = begins or (was_mass and school.calm < OVER_SESSIONS)
    school.grave = mass and (school.grave or (begins and over >= GRAVE_TIMES))
    risen = _risen(sessions, school.risen, spread, away, expected)
    wave = risen >= WAVE_NEEDED or (was_wave and risen > 0)
    school.times += (mass or wave) and not (was_mass or was_wave)
    school.usual, school.slots[slot] = _learnt(
        sessions, school.usual, multiple, away / of, mass or wave
    )
    if not mass:
        school.spread = _spread(spread, away, expected)
    school.size = max(float(of), SIZE_KEPT * school.size)
    school.sessions, school.mass, school.wave, school.risen = sessions + 1, mass, wave, risen
    school.away, school.of, school.expected = away, of, expected


@kernel(WHOLE_SCHOOL, int, int, int)
def step_school(school: Rows, ordinal: int, away: int, of: int) -> Rows:
    """Return the state after a session in which `away` of `of` pupils were away."""
    after = school.copy()
    take_school(after[0], ordinal, away, of)
    return after
