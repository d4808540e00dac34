"""Pupils who come in the morning and are gone in the afternoon."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT
from services.risk.days import AFTERNOON, IN_SCHOOL
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
from services.risk.rules.cusum import Floats, above, added, event_gains, own_rate
from services.risk.rules.evidence import in_words, recent_marks, sessions

SCHOOL_PRIOR = 2.0
USUAL_WEIGHT = 0.03


class Leaving(NamedTuple):
    """Counts of shape (P,), and what is usual in the school."""

    left: Floats
    could: Floats
    evidence: Ints
    usual: float
    rung: Signals


@dataclass(frozen=True)
class LeavesAfterRegistration:
    """Pupils marked present in the morning and absent, without an appointment, in the afternoon.

    Source:
        Cumulative sum as for sudden change; Working together to improve school attendance (DfE,
        August 2024): registers are taken twice a day so that leaving is seen.
    """

    prior_events: float = 0.0891
    prior_days: float = 51.2
    rise: float = 0.132
    needed: float = 7.6
    goes_on: float = 2.5

    kind = "leaves-after-registration"
    version = "2"
    emerging = True
    rank = 1
    title = "In school in the morning, gone in the afternoon"
    source = (
        "Cumulative sum against the pupil's own habit (Page, Biometrika 41, 1954); Working "
        "together to improve school attendance (DfE, August 2024)"
    )
    asks = (
        "The school finds out where the pupil is in the afternoons, and with whom. It does not "
        "mean that the pupil is to blame: leaving can be a sign of bullying or exploitation."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, rise looked for, and the evidence needed (natural logarithms)."""
        return asdict(self)

    def start(self, pupils: int) -> Leaving:
        """Return no history and no evidence."""
        none = np.zeros(pupils, np.float32)
        return Leaving(none, none, np.zeros(pupils, np.int32), 0.005, NOTHING)

    def step(self, state: Leaving, column: Column) -> tuple[Leaving, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        pupils = len(day.left)
        rate = float(np.count_nonzero(day.left)) / pupils
        unusual = (rate * pupils + SCHOOL_PRIOR) / (state.usual * pupils + SCHOOL_PRIOR)
        prior = (self.prior_events, self.prior_days)
        before = own_rate(state.left, state.could, prior, np.float32(min(max(unusual, 0.6), 15.0)))
        after = np.minimum(before * np.float32(1.5) + np.float32(self.rise), np.float32(0.9))
        gains = event_gains(day.left, day.could_leave & ~(day.left & day.shared), before, after)
        gains = np.where(day.left & day.goes_on, self._again, gains)
        evidence = added(state.evidence, gains, int(1300 * self.needed))
        rung = signals(above(evidence, day.known, self.needed), 0, Severity.notice)
        usual = state.usual + USUAL_WEIGHT * (min(rate, 0.02) - state.usual)
        counts = (state.left + day.left, state.could + day.could_leave)
        return Leaving(*counts, evidence, usual, rung), rung

    @property
    def _again(self) -> np.int32:
        # Two afternoons running are one event more often than two: an illness, not a habit.
        return np.int32(round(1000 * log(self.goes_on)))

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the afternoons."""
        afternoons = record.ordinals % 2 == AFTERNOON
        came = np.zeros(len(record.codes), np.bool_)
        same_day = record.ordinals[1:] // 2 == record.ordinals[:-1] // 2
        came[1:] = IN_SCHOOL[record.codes[:-1]] & same_day
        left = afternoons & came & ABSENT[record.codes]
        lately = recent_marks(record, 20)
        now, could = int((left & lately).sum()), int((afternoons & came & lately).sum())
        earlier = int((left & ~lately).sum())
        since = left & lately
        first = f" since {in_words(int(record.ordinals[since][0]))}" if since.any() else ""
        text = (
            f"In school in the morning and absent in the afternoon on {now} of the last {could} "
            f"such days{first}; before that, {earlier} times this year and last. Four weeks "
            "without this clear it."
        )
        return Finding(text, {"afternoons_left": now, "sessions": sessions(record, since)})


RULES = (LeavesAfterRegistration(),)
