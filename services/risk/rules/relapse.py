"""Pupils who came back, from a suspension or a long absence, and are away again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import NUMBERS, POSSIBLE
from services.risk.compiled import inlined, kernel
from services.risk.fold import (
    NOTHING,
    Bools,
    Column,
    Finding,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.pupil_days import HARD, IN_SCHOOL, PUPIL_DAY, SOFT
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    codes_in_words,
    figures,
    in_words,
    out_of,
    sessions,
    since_in_words,
    weighed,
)
from services.risk.rules.odds import Rows, as_record, bar, gone_on, reaches, record_of
from services.risk.rules.sudden_change import likelier_begun

SUSPENDED = NUMBERS["E"]
LONG_AGO = 10_000


RETURN = np.dtype(
    [
        # School days of absence up to now without a day in school.
        ("run", np.int16),
        # School days since the pupil came back; `LONG_AGO` when nothing is watched.
        ("days_back", np.int16),
        ("rings", np.bool_),
        ("odds", np.float64),
    ],
    align=True,
)


class Return(NamedTuple):
    """State."""

    pupils: Rows
    """Of `RETURN`, shape (P,)."""
    suspended: Bools
    """Suspended on the latest days, and not yet back, shape (P,)."""
    rung: Signals


@dataclass(frozen=True)
class Relapse:
    """Pupils away again and again within weeks of a suspension or of a long absence.

    More often, too, than was their habit: some are suspended who are often away in any case. What
    makes it a rule beside sudden change: so soon after a return, a change is likelier to begin.

    Args:
        long_days: school days of absence that make it long.
        watched_days: school days after the return on which a change may begin.
        often: how often one begins on each of them, beside 1 for other pupils and days.
        rise_hard: by how much likelier hard absence begins each day after it,
        rise_soft: and soft.
        needed: natural logarithm of the odds that ring.

    Source:
        Suspension and permanent exclusion guidance (DfE, 2024): a strategy for reintegration, and
        its review. Working together to improve school attendance (August 2024): support on return
        from long absence. Figures are ours.
    """

    long_days: int = 10
    watched_days: int = 25
    often: float = 2.0
    rise_hard: float = 0.18
    rise_soft: float = 0.066
    needed: float = 3.9

    limits = (("rise_hard", 0.001, 0.6), ("rise_soft", 0.001, 0.3))
    kind = "relapse"
    severities = (Severity.warning,)
    version = "4"
    emerging = True
    rank = 3
    title = "Away again after coming back"
    source = (
        "Suspension and permanent exclusion (DfE, 2024): reintegration; Working together to "
        "improve school attendance (DfE, August 2024)"
    )
    asks = (
        "The school looks at the plan for the pupil's return with them: what was agreed, and what "
        "has not worked. It does not mean that the return has failed."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Days of a long absence, days watched after it, rises looked for, and the odds needed."""
        return asdict(self)

    def start(self, pupils: int) -> Return:
        """Return nobody watched."""
        nobody = np.zeros(pupils, RETURN)
        nobody["days_back"] = LONG_AGO
        return Return(nobody, np.zeros(pupils, np.bool_), NOTHING)

    def step(self, state: Return, column: Column) -> tuple[Return, Signals]:
        """Watch who comes back; ring when they are away again often enough."""
        day = column.day
        if column.has(SUSPENDED):
            suspended = state.suspended | (column.codes == SUSPENDED)
            state = Return(state.pupils, suspended, state.rung)
        if day is None:
            return state, state.rung
        suspended = state.suspended.copy()
        pupils, changed = _step(state.pupils, suspended, day.pupils, self._figures)
        rung = signals(pupils["rings"], 0, Severity.warning) if changed else state.rung
        return Return(pupils, suspended, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest return, from what, and the absences since beside those before."""
        gone, back, why = self._return_of(record)
        absent, possible = weighed(record), POSSIBLE[record.codes]
        after, earlier = record.ordinals >= back, record.ordinals < gone
        chosen = absent & after & (back > 0)
        now, of = int(chosen.sum()), int((possible & after).sum())
        missed, before = int((absent & earlier).sum()), int((possible & earlier).sum())
        came = f"Came back on {in_words(back)} from {why}. Since then" if back else "Lately"
        text = (
            f"{came}, absent in {out_of(now, of, 'sessions')}{since_in_words(record, chosen)}. "
            f"{before_in_words(missed, before, 'in ')} "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = figures(missed=now, of=of, missed_before=missed, of_before=before)
        likened = alike(record, after, HARD | SOFT, "missed at least as many of these sessions")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)

    def _return_of(self, record: PupilRecord) -> tuple[int, int, str]:
        """Return the first session away, that of the latest return, and from what; 0: none."""
        absent, in_school = weighed(record), IN_SCHOOL[record.codes]
        found, since, run, suspended = (0, 0, ""), 0, 0, False
        for number in np.unique(record.ordinals // 2).tolist():
            day = record.ordinals // 2 == number
            came = bool(in_school[day][:1].any()) and not absent[day].any()
            suspended |= bool((record.codes[day] == SUSPENDED).any())
            if came and (suspended or run >= self.long_days):
                why = "a suspension" if suspended else f"an absence of {run} school days"
                found = (since, number * 2, why)
            if came:
                since, run, suspended = 0, 0, False
            elif suspended or absent[day].any():
                since, run = since or number * 2, run + int(absent[day].any())
        return found


FIGURES = record_of(Relapse().parameters)


@inlined
def _likelier(day: Any, rule: Any) -> Any:
    if day.free and not (day.left or (day.begins and day.shared)):
        return likelier_begun(day, rule.rise_hard, rule.rise_soft)
    return 1.0


@kernel(RETURN, np.bool_, PUPIL_DAY, FIGURES)
def _step(before: Rows, suspended: Bools, today: Rows, figures: Rows) -> tuple[Rows, bool]:
    """Take a day; who is in school is no longer suspended, which is written into `suspended`."""
    after, rule, changed = before.copy(), figures[0], False
    least = bar(rule.needed, 1.0)
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        in_school = day.came and not day.absent
        back = in_school and (suspended[p] or pupil.run >= rule.long_days)
        pupil.days_back = 0 if back else min(pupil.days_back + 1, LONG_AGO)
        pupil.run = 0 if in_school else min(pupil.run + day.absent, LONG_AGO)
        suspended[p] &= not in_school
        often = rule.often if pupil.days_back <= rule.watched_days else 0.0
        if pupil.odds == 0.0 and often == 0.0:
            continue  # as nearly always: there are no odds, and nothing makes any
        pupil.odds = gone_on(pupil.odds, often, _likelier(day, rule))
        pupil.rings = reaches(pupil.odds, least, rule.needed, day.known) and not day.medical
        changed |= pupil.rings != before[p].rings
    return after, changed


RULES = (Relapse(),)
