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
from services.risk.rules.cusum import Floats, added, own_rate, thousandths
from services.risk.rules.evidence import change_in_words

FIRST_WEEKS = 15
"""School days in which the bar is higher: a new class has no habits yet."""


ONE, MORE = np.float32(1), np.float32(1.3)
MOST, MOST_OF_BOTH = np.float32(0.6), np.float32(0.9)
"""After a change an absence is a little likelier in any case, and never surer than this."""


class Change(NamedTuple):
    """Each of shape (P,)."""

    hard: Floats
    """Absences without a reason that began so far."""
    soft: Floats
    """Illnesses, appointments and unexplained absences that began so far."""
    free: Floats
    """Days on which one could have begun."""
    evidence: Ints
    """For a slight, lasting rise and for a steep one, in thousandths, shape (2, P)."""
    days: int
    rung: Signals


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

    prior_hard: float = 0.0772
    prior_soft: float = 0.631
    prior_days: float = 30
    least_hard: float = 0.00594
    least_soft: float = 0.0119
    slow_hard: float = 0.0495
    slow_soft: float = 0.0279
    slow_needed: float = 10.4
    fast_hard: float = 0.234
    fast_soft: float = 0.0344
    fast_needed: float = 5.3
    goes_on: float = 0.538
    goes_on_hard: float = 0.316
    goes_on_soft: float = 0.614
    first_weeks_more: float = 0.968

    limits = (
        ("goes_on", 0.01, 0.99), ("goes_on_hard", 0.01, 0.99), ("goes_on_soft", 0.01, 0.99),
        ("least_hard", 0.0001, 0.5), ("least_soft", 0.0001, 0.5), ("first_weeks_more", 0, 10),
    )  # fmt: skip
    kind = "sudden-change"
    version = "2"
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
        none = np.zeros(pupils, np.float32)
        return Change(none, none, none, np.zeros((2, pupils), np.int32), 0, NOTHING)

    def step(self, state: Change, column: Column) -> tuple[Change, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        day = day._replace(hard=day.hard & ~day.left)  # that is another rule's
        prior = self.prior_days
        hard = own_rate(state.hard, state.free, (self.prior_hard, prior), day.unusual)
        soft = own_rate(state.soft, state.free, (self.prior_soft, prior), day.unusual)
        hard = np.maximum(hard, np.float32(self.least_hard))
        soft = np.maximum(soft, np.float32(self.least_soft))
        gains = self._begins(day, hard, soft) + self._goes_on(day)
        needed = np.array([[self.slow_needed], [self.fast_needed]], np.float32)
        most = (needed * np.float32(1300)).astype(np.int32)
        evidence = added(state.evidence, gains, most)
        early = max(0.0, 1 - state.days / FIRST_WEEKS) * self.first_weeks_more
        bars = needed * np.float32(1000 * (1 + early)) * day.known
        rung = signals((evidence >= bars).any(axis=0) & ~day.medical, 0, Severity.notice)
        after = Change(
            state.hard + (day.begins & day.hard),
            state.soft + (day.begins & ~day.hard),
            state.free + day.free,
            evidence,
            state.days + 1,
            rung,
        )
        return after, rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest weeks beside what was before."""
        return change_in_words(record, self.title)

    def _begins(self, day: Day, hard: Floats, soft: Floats) -> Ints:
        rises = np.array([[self.slow_hard, self.slow_soft], [self.fast_hard, self.fast_soft]])
        rise = rises.astype(np.float32)
        hard_after = np.minimum(hard * MORE + rise[:, :1], MOST)
        soft_after = np.minimum(soft * MORE + rise[:, 1:], MOST)
        neither = (ONE - np.minimum(hard_after + soft_after, MOST_OF_BOTH)) / (
            ONE - np.minimum(hard + soft, MOST_OF_BOTH)
        )
        began = np.where(day.hard, hard_after / hard, soft_after / soft)
        return thousandths(np.where(day.begins, began, neither)) * (day.free & ~day.shared)

    def _goes_on(self, day: Day) -> Ints:
        usual = np.where(day.hard, self.goes_on_hard, self.goes_on_soft)
        ratio = np.where(day.absent, self.goes_on / usual, (1 - self.goes_on) / 0.5)
        return thousandths(ratio.astype(np.float32)) * day.goes_on


RULES = (SuddenChange(),)
