"""Simple detectors to hold beside the rules: what schools and health agencies use elsewhere.

Sources: the year-to-date percentage and the traffic light as in DfE guidance and MIS dashboards;
EARS C2: Hutwagner et al., Journal of Urban Health 80 (2003); the cumulative sum: Page, Biometrika
41 (1954).
"""

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE
from services.risk.cases import Case, Rung

HELD_MIN = 20
"""Possible sessions before a percentage is told."""
LIGHTS = (0.05, 0.10, 0.50)
BASELINE_DAYS, GUARD_DAYS, C2_LIMIT, C2_LEAST = 7, 2, 3.0, 0.2
CUSUM_TIMES, CUSUM_PRIOR, CUSUM_LIMIT, CUSUM_PAUSE = 4.0, (1.0, 20.0), 5.0, 25
RATE_MAX = 0.6


def ten_percent(case: Case) -> list[Rung]:
    """Ring whenever the year to date comes to 10 %."""
    return _starts(_rates(case) >= 0.1, "10 % year to date")


def traffic_light(case: Case) -> list[Rung]:
    """Ring whenever the year to date gets worse than 95, 90 or 50 % of attendance."""
    rates = _rates(case)
    return [one for limit in LIGHTS for one in _starts(rates > limit, "traffic light")]


def three_days_running(case: Case) -> list[Rung]:
    """Ring on the third day running with absence."""
    days = _days(case) > 0
    three = days.copy()
    three[1:] &= days[:-1]
    three[2:] &= days[:-2]
    three[:2] = False
    return _starts(three, "three days running")


def ears_c2(case: Case) -> list[Rung]:
    """Ring when a pupil's day is far above the seven days that ended two days before it."""
    days = _days(case)
    span = BASELINE_DAYS + GUARD_DAYS
    windows = np.lib.stride_tricks.sliding_window_view(days, BASELINE_DAYS, axis=0)
    mean, deviation = windows.mean(axis=-1), windows.std(axis=-1, ddof=1)
    on = np.zeros(days.shape, np.bool_)
    far = len(days) - span
    on[span:] = days[span:] > mean[:far] + C2_LIMIT * np.maximum(deviation[:far], C2_LEAST)
    return _starts(on, "EARS C2")


def one_cusum(case: Case) -> list[Rung]:
    """Ring when a cumulative sum speaks for four times a pupil's own rate of absence."""
    days = _days(case) > 0
    seen, total = np.zeros(days.shape[1]), np.zeros(days.shape[1])
    pause = np.zeros(days.shape[1], np.intp)
    rung = []
    for number, away in enumerate(days):
        before = (seen + CUSUM_PRIOR[0]) / (number + CUSUM_PRIOR[1])
        after = np.minimum(CUSUM_TIMES * before, RATE_MAX)
        gains = np.where(away, np.log(after / before), np.log((1 - after) / (1 - before)))
        total = np.maximum(0, total + gains)
        rings = (total > CUSUM_LIMIT) & (pause <= 0)
        rung += [Rung(number, int(pupil), "one CUSUM") for pupil in np.flatnonzero(rings)]
        pause = np.where(rings, CUSUM_PAUSE, pause - 1)
        total[rings] = 0
        seen += away
    return rung


def knows_the_truth(case: Case) -> list[Rung]:
    """Ring on the day on which each episode is evident."""
    concerns = [Rung(spell.evident, spell.pupil, spell.kind) for spell in case.spells]
    return concerns + [Rung(spell.evident, spell.pupil, spell.kind) for spell in case.medical]


def _days(case: Case) -> NDArray[np.float64]:
    """Return each pupil's share of each day's sessions missed, shape (T, P)."""
    away = ABSENT[case.codes]
    return np.asarray((away[0::2] + 0.0 + away[1::2]) / 2)


def _rates(case: Case) -> NDArray[np.float64]:
    """Return the year's absence so far, nothing while little is known, shape (T, P)."""
    missed = np.cumsum(ABSENT[case.codes], axis=0)[1::2]
    possible = np.cumsum(POSSIBLE[case.codes], axis=0)[1::2]
    return np.where(possible >= HELD_MIN, missed / np.maximum(1, possible), 0.0)


def _starts(on: NDArray[np.bool_], kind: str) -> list[Rung]:
    begins = on.copy()
    begins[1:] &= ~on[:-1]
    return [Rung(int(day), int(pupil), kind) for day, pupil in np.argwhere(begins)]
