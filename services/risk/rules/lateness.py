"""Pupils who have begun to come late."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from services.risk.days import IN_SCHOOL, LATE
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
from services.risk.rules.evidence import recent_marks, sessions

SCHOOL_PRIOR = 2.0
USUAL_WEIGHT = 0.03


class Arrivals(NamedTuple):
    """Counts of shape (P,), and what is usual in the school."""

    late: Floats
    came: Floats
    evidence: Ints
    usual: float
    rung: Signals


@dataclass(frozen=True)
class Lateness:
    """Pupils late in the morning (L or U) much more often than they used to be.

    A morning when a bus is late makes many late, and says little about each.

    Source:
        Cumulative sum as for sudden change; Working together to improve school attendance (DfE,
        August 2024), chapter 8, codes L and U.
    """

    prior_events: float = 0.17
    prior_days: float = 3
    rise: float = 0.17
    needed: float = 7.8

    kind = "lateness"
    version = "2"
    emerging = True
    rank = 3
    title = "Late much more often than this pupil used to be"
    source = (
        "Cumulative sum against the pupil's own habit (Page, Biometrika 41, 1954); Working "
        "together to improve school attendance (DfE, August 2024), codes L and U"
    )
    asks = (
        "Somebody asks what makes mornings hard: transport, caring for others, sleep, worry. It "
        "does not mean that the pupil does not care."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, rise looked for, and the evidence needed (natural logarithms)."""
        return asdict(self)

    def start(self, pupils: int) -> Arrivals:
        """Return no history and no evidence."""
        none = np.zeros(pupils, np.float32)
        return Arrivals(none, none, np.zeros(pupils, np.int32), 0.015, NOTHING)

    def step(self, state: Arrivals, column: Column) -> tuple[Arrivals, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        pupils = len(day.late)
        rate = float(np.count_nonzero(day.late)) / pupils
        unusual = (rate * pupils + SCHOOL_PRIOR) / (state.usual * pupils + SCHOOL_PRIOR)
        prior = (self.prior_events, self.prior_days)
        before = own_rate(state.late, state.came, prior, np.float32(min(max(unusual, 0.6), 15.0)))
        after = np.minimum(before * np.float32(1.4) + np.float32(self.rise), np.float32(0.95))
        gains = event_gains(day.late, day.came, before, after)
        evidence = added(state.evidence, gains, int(1300 * self.needed))
        rung = signals(above(evidence, day.known, self.needed), 0, Severity.notice)
        usual = state.usual + USUAL_WEIGHT * (min(rate, 0.1) - state.usual)
        return Arrivals(state.late + day.late, state.came + day.came, evidence, usual, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the late mornings."""
        mornings = (record.ordinals % 2 == 0) & (IN_SCHOOL[record.codes] | LATE[record.codes])
        late, lately = LATE[record.codes] & mornings, recent_marks(record, 20)
        now, came = int((late & lately).sum()), int((mornings & lately).sum())
        earlier, days = int((late & ~lately).sum()), int((mornings & ~lately).sum())
        text = (
            f"Late on {now} of the last {came} mornings in school; before that, on {earlier} of "
            f"{days}. Four weeks of mornings on time clear this."
        )
        return Finding(
            text, {"late": now, "mornings": came, "sessions": sessions(record, late & lately)}
        )


RULES = (Lateness(),)
