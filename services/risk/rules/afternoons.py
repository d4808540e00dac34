"""Pupils who come in the morning and are gone in the afternoon."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import log
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT
from services.risk.compiled import kernel
from services.risk.days import AFTERNOON, IN_SCHOOL, PUPIL_DAY
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
    between,
    likelier,
    own_rate,
    record_of,
)
from services.risk.rules.evidence import in_words, recent_marks, sessions

SCHOOL_PRIOR = 2.0
USUAL_WEIGHT = 0.03


LEAVING = np.dtype(
    [
        ("left", np.float32),
        ("could", np.float32),
        ("evidence", np.int32),
        ("rings", np.bool_),
    ],
    align=True,
)


class Leaving(NamedTuple):
    """Each pupil's afternoons, and what is usual in the school."""

    pupils: Rows
    """Of `LEAVING`, shape (P,)."""
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
        return Leaving(np.zeros(pupils, LEAVING), 0.005, NOTHING)

    def step(self, state: Leaving, column: Column) -> tuple[Leaving, Signals]:
        """Weigh a complete day; ring from the bar upwards."""
        day = column.day
        if day is None:
            return state, state.rung
        pupils, usual, changed = _step(state.pupils, day.pupils, self._figures, state.usual)
        rung = signals(pupils["rings"], 0, Severity.notice) if changed else state.rung
        return Leaving(pupils, usual, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        # Two afternoons running are one event more often than two: an illness, not a habit.
        return as_record({**asdict(self), "again": round(1000 * log(self.goes_on))})

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


FIGURES = record_of((*LeavesAfterRegistration().parameters, "again"))


@kernel(LEAVING, PUPIL_DAY, FIGURES, float)
def _step(before: Rows, today: Rows, figures: Rows, usual: float) -> tuple[Rows, float, bool]:
    after, rule, changed = before.copy(), figures[0], False
    count, most = len(today), int(1300 * rule.needed)
    gone = 0
    for p in range(count):
        gone += today[p].left
    rate = gone / count
    ratio = (rate * count + SCHOOL_PRIOR) / (usual * count + SCHOOL_PRIOR)
    unusual = np.float32(min(max(ratio, 0.6), 15.0))
    for p in range(count):
        day, pupil = today[p], after[p]
        if day.left and day.goes_on:
            pupil.evidence = between(pupil.evidence + int(rule.again), most)
        elif day.could_leave and not (day.left and day.shared):
            own = own_rate(pupil.left, pupil.could, rule.prior_events, rule.prior_days, unusual)
            changed_to = min(own * np.float32(1.5) + np.float32(rule.rise), np.float32(0.9))
            pupil.evidence = added(pupil.evidence, likelier(day.left, own, changed_to), most)
        pupil.rings = above(pupil.evidence, day.known, rule.needed)
        pupil.left += np.float32(day.left)
        pupil.could += np.float32(day.could_leave)
        changed |= pupil.rings != before[p].rings
    return after, usual + USUAL_WEIGHT * (min(rate, 0.02) - usual), changed


RULES = (LeavesAfterRegistration(),)
