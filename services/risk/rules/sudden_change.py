"""A pupil is away much more than they used to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from services.risk.days import Day
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    Ints,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.cusum import Floats, added, bar, own_rate, thousandths
from services.risk.rules.evidence import change_in_words

FIRST_WEEKS = 15
"""School days in which the bar is higher: a new class has no habits yet."""


class Change(NamedTuple):
    """Each of shape (P,)."""

    hard: Floats
    """Absences without a reason that began so far."""
    soft: Floats
    """Illnesses, appointments and unexplained absences that began so far."""
    free: Floats
    """Days on which one could have begun."""
    slow: Ints
    """Evidence for a slight, lasting rise, in thousandths."""
    fast: Ints
    """Evidence for a steep rise."""
    days: int
    rung: Signals


class Rise(NamedTuple):
    """A change to be looked for: how much likelier each kind of absence begins on a day."""

    hard: float
    soft: float
    needed: float


@dataclass(frozen=True)
class SuddenChange:
    """Pupils for whom absences begin more often than their habit and the school's day account for.

    Two cumulative sums, for a slight and for a steep rise. An absence that goes on adds little: an
    illness comes in spells. What begins is told apart by its code: an absence without a reason says
    more than an illness. A day on which absence begins in the whole school says less.

    Source:
        Page, Biometrika 41 (1954). That change and spells say more than the year's percentage: FFT
        Education Datalab 2023. Figures: chosen on simulated years, see docs/detection.md.
    """

    prior_hard: float = 0.12
    prior_soft: float = 0.62
    prior_days: float = 18.0
    slow_hard: float = 0.066
    slow_soft: float = 0.025
    slow_needed: float = 10.0
    fast_hard: float = 0.23
    fast_soft: float = 0.06
    fast_needed: float = 6.2
    goes_on: float = 0.515
    goes_on_hard: float = 0.334
    goes_on_soft: float = 0.505
    first_weeks_more: float = 0.8

    kind = "sudden-change"
    version = "1"
    emerging = True
    rank = 5
    title = "Away much more than this pupil used to be"
    source = (
        "Cumulative sum against the pupil's own habit (Page, Biometrika 41, 1954); Keeping "
        "children safe in education: repeated absence is a warning sign"
    )
    asks = (
        "Somebody who knows the pupil asks what has changed, early and kindly. It compares the "
        "pupil with themselves; it does not mean that anything is wrong at home."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Priors, rises looked for, and the evidence needed (natural logarithms)."""
        return asdict(self)

    def start(self, pupils: int) -> Change:
        """Return no history and no evidence."""
        none, zero = np.zeros(pupils, np.float32), np.zeros(pupils, np.int32)
        return Change(none, none, none, zero, zero, 0, NOTHING)

    def step(self, state: Change, column: Column) -> tuple[Change, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        prior = self.prior_days
        hard = own_rate(state.hard, state.free, (self.prior_hard, prior), day.unusual)
        soft = own_rate(state.soft, state.free, (self.prior_soft, prior), day.unusual)
        day = day._replace(hard=day.hard & ~day.left)  # that is another rule's
        going = self._going_on(day)
        slow = Rise(self.slow_hard, self.slow_soft, self.slow_needed)
        fast = Rise(self.fast_hard, self.fast_soft, self.fast_needed)
        sums = [
            added(total, _gains(day, hard, soft, rise) + going, int(1300 * rise.needed))
            for total, rise in ((state.slow, slow), (state.fast, fast))
        ]
        early = max(0.0, 1 - state.days / FIRST_WEEKS) * self.first_weeks_more
        bars = (bar(day.used_to, rise.needed * (1 + early)) for rise in (slow, fast))
        above = [total >= needed for total, needed in zip(sums, bars, strict=True)]
        rung = signals((above[0] | above[1]) & ~day.medical, 0, Severity.notice)
        after = Change(
            state.hard + (day.begins & day.hard),
            state.soft + (day.begins & ~day.hard),
            state.free + day.free,
            sums[0],
            sums[1],
            state.days + 1,
            rung,
        )
        return after, rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest weeks beside what was before."""
        return change_in_words(record, self.title)

    def _going_on(self, day: Day) -> Ints:
        usual = np.where(day.hard, self.goes_on_hard, self.goes_on_soft)
        ratio = np.where(day.absent, self.goes_on / usual, (1 - self.goes_on) / 0.5)
        return np.where(day.goes_on, thousandths(ratio.astype(np.float32)), 0).astype(np.int32)


def _gains(day: Day, hard: Floats, soft: Floats, rise: Rise) -> Ints:
    more, sixth = np.float32(1.3), np.float32(0.6)
    hard_after = np.minimum(hard * more + np.float32(rise.hard), sixth)
    soft_after = np.minimum(soft * more + np.float32(rise.soft), sixth)
    one, most = np.float32(1), np.float32(0.9)
    neither = one - np.minimum(hard_after + soft_after, most)
    neither /= one - np.minimum(hard + soft, most)
    ratio = np.where(day.begins, np.where(day.hard, hard_after / hard, soft_after / soft), neither)
    return np.where(day.free, thousandths(ratio), 0).astype(np.int32)


RULES = (SuddenChange(),)
