"""A pupil is away much more than they used to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.risk.compiled import inlined, kernel
from services.risk.days import PUPIL_DAY
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.cusum import (
    ONE,
    Rows,
    added,
    as_record,
    between,
    own_rate,
    record_of,
    thousandths,
)
from services.risk.rules.evidence import change_in_words

FIRST_WEEKS = 15
"""School days in which the bar is higher: a new class has no habits yet."""


MORE = np.float32(1.3)
MOST, MOST_OF_BOTH = np.float32(0.6), np.float32(0.9)
"""After a change an absence is a little likelier in any case, and never surer than this."""


CHANGE = np.dtype(
    [
        # Absences without a reason that began so far.
        ("hard", np.float32),
        # Illnesses, appointments and unexplained absences that began so far.
        ("soft", np.float32),
        # Days on which one could have begun.
        ("free", np.float32),
        # Evidence for a slight, lasting rise and for a steep one, in thousandths.
        ("slow", np.int32),
        ("fast", np.int32),
        ("rings", np.bool_),
    ],
    align=True,
)


class Change(NamedTuple):
    """State."""

    pupils: Rows
    """Of `CHANGE`, shape (P,)."""
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
        return Change(np.zeros(pupils, CHANGE), 0, NOTHING)

    def step(self, state: Change, column: Column) -> tuple[Change, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        early = max(0.0, 1 - state.days / FIRST_WEEKS) * self.first_weeks_more
        pupils, changed = _step(state.pupils, day.pupils, self._figures, 1000 * (1 + early))
        rung = signals(pupils["rings"], 0, Severity.notice) if changed else state.rung
        return Change(pupils, state.days + 1, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest weeks beside what was before."""
        return change_in_words(record, self.title)


FIGURES = record_of(SuddenChange().parameters)


@inlined
def _going_on(rule: Any) -> Any:
    """Return what an absence adds that goes on, hard or soft, and one that has ended."""
    return (
        thousandths(np.float32(rule.goes_on / rule.goes_on_hard)),
        thousandths(np.float32(rule.goes_on / rule.goes_on_soft)),
        thousandths(np.float32((1 - rule.goes_on) / 0.5)),
    )


@inlined
def _own(pupil: Any, day: Any, rule: Any) -> Any:
    """Return the pupil's chances that a hard and a soft absence begins."""
    hard = own_rate(pupil.hard, pupil.free, rule.prior_hard, rule.prior_days, day.unusual)
    soft = own_rate(pupil.soft, pupil.free, rule.prior_soft, rule.prior_days, day.unusual)
    return max(hard, np.float32(rule.least_hard)), max(soft, np.float32(rule.least_soft))


@inlined
def _likelier(begins: bool, is_hard: bool, own: Any, more_hard: float, more_soft: float) -> Any:
    """Return how much likelier the day is after a rise by these."""
    hard = min(own[0] * MORE + np.float32(more_hard), MOST)
    soft = min(own[1] * MORE + np.float32(more_soft), MOST)
    if begins:
        return hard / own[0] if is_hard else soft / own[1]
    return (ONE - min(hard + soft, MOST_OF_BOTH)) / (ONE - min(own[0] + own[1], MOST_OF_BOTH))


@kernel(CHANGE, PUPIL_DAY, FIGURES, float)
def _step(before: Rows, today: Rows, figures: Rows, bar: float) -> tuple[Rows, bool]:
    """Weigh a day; `bar` is how many thousandths stand for one of what is needed."""
    after, rule, changed = before.copy(), figures[0], False
    slow, fast = np.float32(rule.slow_needed), np.float32(rule.fast_needed)
    slow_most, fast_most = int(slow * np.float32(1300)), int(fast * np.float32(1300))
    again_hard, again_soft, ended = _going_on(rule)
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        hard = day.hard and not day.left  # that is another rule's
        if day.goes_on:
            gain = (again_hard if hard else again_soft) if day.absent else ended
            pupil.slow = between(pupil.slow + gain, slow_most)
            pupil.fast = between(pupil.fast + gain, fast_most)
        elif day.free and not day.shared:
            own = _own(pupil, day, rule)
            to_slow = _likelier(day.begins, hard, own, rule.slow_hard, rule.slow_soft)
            to_fast = _likelier(day.begins, hard, own, rule.fast_hard, rule.fast_soft)
            pupil.slow = added(pupil.slow, to_slow, slow_most)
            pupil.fast = added(pupil.fast, to_fast, fast_most)
        reached = (
            pupil.slow >= slow * np.float32(bar) * day.known
            or pupil.fast >= fast * np.float32(bar) * day.known
        )
        pupil.rings = reached and not day.medical
        pupil.hard += np.float32(day.begins and hard)
        pupil.soft += np.float32(day.begins and not hard)
        pupil.free += np.float32(day.free)
        changed |= pupil.rings != before[p].rings
    return after, changed


RULES = (SuddenChange(),)
