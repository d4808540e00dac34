"""Eight plain rules as state arrays stepped by one session's column in NumPy: a yardstick.

The textbook form of a fold over a school's pupils, without Firstbell's merits: no spells, no
habits, no school's day, no stories, no episodes. Year-to-date rates, unauthorised sessions in ten
weeks, runs of unauthorised absence, an exponentially weighted rate, a cumulative sum, the weekday,
the afternoon, and how many more are away than usually in a year group.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE, UNAUTHORISED, Codes

WEEKS, WEEKDAYS, YEAR_GROUPS = 10, 5, 8
FADING, REFERENCE, DECISION = 0.94, 0.15, 4.0


@dataclass
class PlainRules:
    """State arrays of shape (P,), changed in place."""

    year_groups: NDArray[np.intp]
    possible: NDArray[np.int32] = field(init=False)
    missed: NDArray[np.int32] = field(init=False)
    weeks: NDArray[np.int32] = field(init=False)
    run: NDArray[np.int32] = field(init=False)
    rate: NDArray[np.float64] = field(init=False)
    sums: NDArray[np.float64] = field(init=False)
    weekdays: NDArray[np.int32] = field(init=False)
    here: NDArray[np.bool_] = field(init=False)
    left: NDArray[np.float64] = field(init=False)
    mean: NDArray[np.float64] = field(init=False)
    variance: NDArray[np.float64] = field(init=False)
    week: int = 0

    def __post_init__(self) -> None:
        pupils = len(self.year_groups)
        for name in ("possible", "missed", "run"):
            setattr(self, name, np.zeros(pupils, np.int32))
        for name in ("rate", "sums", "left"):
            setattr(self, name, np.zeros(pupils))
        self.weeks = np.zeros((WEEKS, pupils), np.int32)
        self.weekdays = np.zeros((WEEKDAYS, pupils), np.int32)
        self.here = np.zeros(pupils, np.bool_)
        self.mean, self.variance = np.full(YEAR_GROUPS, 2.0), np.full(YEAR_GROUPS, 2.0)

    def step(self, ordinal: int, week: int, codes: Codes) -> list[NDArray[np.bool_]]:
        """Take a session; return for each rule which pupils, or year groups, it rings for."""
        possible, absent, unauthorised = POSSIBLE[codes], ABSENT[codes], UNAUTHORISED[codes]
        return [
            self._year_to_date(possible, absent),
            self._ten_weeks(week, unauthorised),
            self._runs(possible, unauthorised),
            self._weighted(possible, absent),
            self._cumulative(possible, absent),
            self._weekday((ordinal // 2 - 1) % 7, absent),
            self._afternoon(ordinal, possible, absent),
            self._year_group(absent),
        ]

    def _year_to_date(
        self, possible: NDArray[np.bool_], absent: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        self.possible += possible
        self.missed += absent
        return (self.possible >= 20) & (self.missed * 10 >= self.possible)

    def _ten_weeks(self, week: int, unauthorised: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if week != self.week:
            self.weeks[week % WEEKS], self.week = 0, week
        self.weeks[week % WEEKS] += unauthorised
        return np.asarray(self.weeks.sum(axis=0) >= 10)

    def _runs(
        self, possible: NDArray[np.bool_], unauthorised: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        self.run += unauthorised
        self.run[possible & ~unauthorised] = 0
        return np.asarray(self.run >= 20)

    def _weighted(
        self, possible: NDArray[np.bool_], absent: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        self.rate += np.where(possible, (1 - FADING) * (absent - self.rate), 0.0)
        return np.asarray(self.rate >= 0.3)

    def _cumulative(
        self, possible: NDArray[np.bool_], absent: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        self.sums += np.where(possible, absent - REFERENCE, 0.0)
        np.maximum(self.sums, 0.0, out=self.sums)
        return np.asarray(self.sums >= DECISION)

    def _weekday(self, weekday: int, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        self.weekdays[weekday] += absent
        often = self.weekdays[weekday] >= 5
        return np.asarray(often & (self.weekdays[weekday] * 2 >= self.missed))

    def _afternoon(
        self, ordinal: int, possible: NDArray[np.bool_], absent: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        if ordinal % 2 == 0:
            self.here = possible & ~absent
        else:
            self.left = FADING * self.left + (self.here & absent)
        return np.asarray(self.left >= 3.0)

    def _year_group(self, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        away = np.bincount(self.year_groups, absent, YEAR_GROUPS)
        beyond = away - self.mean
        unusual = beyond >= 3 * np.sqrt(self.variance)
        self.mean += 0.03 * beyond
        self.variance += 0.03 * (beyond**2 - self.variance)
        return np.asarray(unusual)
