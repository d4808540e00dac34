"""Pupils who have begun to come late."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.risk.compiled import kernel
from services.risk.days import IN_SCHOOL, LATE, PUPIL_DAY
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
    Rows,
    above,
    added,
    as_record,
    likelier,
    own_rate,
    record_of,
)
from services.risk.rules.evidence import recent_marks, sessions

SCHOOL_PRIOR = 2.0
USUAL_WEIGHT = 0.03


ARRIVALS = np.dtype(
    [
        ("late", np.float32),
        ("came", np.float32),
        ("evidence", np.int32),
        ("rings", np.bool_),
    ],
    align=True,
)


class Arrivals(NamedTuple):
    """Each pupil's mornings, and what is usual in the school."""

    pupils: Rows
    """Of `ARRIVALS`, shape (P,)."""
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
        return Arrivals(np.zeros(pupils, ARRIVALS), 0.015, NOTHING)

    def step(self, state: Arrivals, column: Column) -> tuple[Arrivals, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        pupils, usual, changed = _step(state.pupils, day.pupils, self._figures, state.usual)
        rung = signals(pupils["rings"], 0, Severity.notice) if changed else state.rung
        return Arrivals(pupils, usual, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

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


FIGURES = record_of(Lateness().parameters)


@kernel(ARRIVALS, PUPIL_DAY, FIGURES, float)
def _step(before: Rows, today: Rows, figures: Rows, usual: float) -> tuple[Rows, float, bool]:
    after, rule, changed = before.copy(), figures[0], False
    count, most = len(today), int(1300 * rule.needed)
    late = 0
    for p in range(count):
        late += today[p].late
    rate = late / count
    ratio = (rate * count + SCHOOL_PRIOR) / (usual * count + SCHOOL_PRIOR)
    unusual = np.float32(min(max(ratio, 0.6), 15.0))
    for p in range(count):
        day, pupil = today[p], after[p]
        if day.came:
            own = own_rate(pupil.late, pupil.came, rule.prior_events, rule.prior_days, unusual)
            changed_to = min(own * np.float32(1.4) + np.float32(rule.rise), np.float32(0.95))
            pupil.evidence = added(pupil.evidence, likelier(day.late, own, changed_to), most)
        pupil.rings = above(pupil.evidence, day.known, rule.needed)
        pupil.late += np.float32(day.late)
        pupil.came += np.float32(day.came)
        changed |= pupil.rings != before[p].rings
    return after, usual + USUAL_WEIGHT * (min(rate, 0.1) - usual), changed


RULES = (Lateness(),)
