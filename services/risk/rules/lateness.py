"""Pupils who have begun to come late."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.risk.compiled import inlined, kernel
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.pupil_days import IN_SCHOOL, LATE, PUPIL_DAY
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    codes_in_words,
    out_of,
    recent_marks,
    sessions,
    since_in_words,
)
from services.risk.rules.odds import (
    HABIT,
    Rows,
    as_record,
    bar,
    gone_on,
    habit,
    likelier,
    reaches,
    record_of,
    remember,
)
from services.risk.usual import believed

SCHOOL_PRIOR = 2.0
USUAL_AT_FIRST, USUAL_MAX = 0.02, 0.06
USUAL_WEIGHT = 0.03
SHARED_FROM = 3.0
"""From so many times the usual morning on, lateness says nothing about the pupil."""
CHANCE_MAX, CHANGED_MAX = 0.7, 0.93


ARRIVALS = np.dtype([*HABIT, ("odds", np.float64), ("rings", np.bool_)], align=True)


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

    Args:
        prior_events: late mornings in `prior_days`, believed of a pupil of whom little is known:
            many, for some are late from the first day on.
        times: how many times as likely as before a pupil is late after a change, and
        rise: by how much more.
        needed: natural logarithm of the odds that ring.

    Source:
        Odds as for sudden change; Working together to improve school attendance (DfE, August 2024),
        chapter 8, codes L and U.
    """

    prior_events: float = 4.7
    prior_days: float = 12.4
    times: float = 1.83
    rise: float = 0.24
    needed: float = 6.0

    kind = "lateness"
    severities = (Severity.notice,)
    version = "4"
    emerging = True
    rank = 3
    title = "Late much more often than this pupil used to be"
    source = (
        "Odds of a change against the pupil's own habit (Shiryaev 1963; Roberts, Technometrics 8, "
        "1966); Working together to improve school attendance (DfE, August 2024), codes L and U"
    )
    asks = (
        "Somebody asks what makes mornings hard: transport, caring for others, sleep, worry. It "
        "does not mean that the pupil does not care."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, rise looked for, and the odds needed (natural logarithm)."""
        return asdict(self)

    def start(self, pupils: int) -> Arrivals:
        """Return no history and no odds."""
        return Arrivals(np.zeros(pupils, ARRIVALS), USUAL_AT_FIRST, NOTHING)

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
        chosen = late & lately
        text = (
            f"Late on {out_of(now, came, 'mornings')} in the latest four weeks"
            f"{since_in_words(record, chosen)}. {before_in_words(earlier, days, 'on ')} "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = {"late": now, "mornings": came, "late_before": earlier, "mornings_before": days}
        likened = alike(
            record, lately & (record.ordinals % 2 == 0), LATE, "were late at least as often"
        )
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


FIGURES = record_of(Lateness().parameters)


@inlined
def _likelier(late: bool, own: float, times: float, rule: Any) -> Any:
    if late and times >= SHARED_FROM:
        return 1.0
    return likelier(late, own, min(own * rule.times + rule.rise, CHANGED_MAX))


@kernel(ARRIVALS, PUPIL_DAY, FIGURES, float)
def _step(before: Rows, today: Rows, figures: Rows, usual: float) -> tuple[Rows, float, bool]:
    after, rule, changed = before.copy(), figures[0], False
    least = bar(rule.needed, 1.0)
    late, came = 0, 0
    for p in range(len(today)):
        late += today[p].late
        came += today[p].came
    times = (late + SCHOOL_PRIOR) / (usual * came + SCHOOL_PRIOR)
    taken_for = believed(times)
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        if day.came:
            own = habit(pupil, rule.prior_events, rule.prior_days, taken_for, CHANCE_MAX)
            pupil.odds = gone_on(pupil.odds, 1.0, _likelier(day.late, own, times, rule))
            pupil.rings = reaches(pupil.odds, least, rule.needed, day.known)
        remember(pupil, day.late, day.came)
        changed |= pupil.rings != before[p].rings
    rate = min(late / max(1, came), USUAL_MAX)
    return after, usual + USUAL_WEIGHT * (rate - usual), changed


RULES = (Lateness(),)
