"""Pupils who came back, from a suspension or a long absence, and are away again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, NUMBERS
from services.risk.compiled import inlined, kernel
from services.risk.days import PUPIL_DAY
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
from services.risk.rules.cusum import Rows, as_record, record_of
from services.risk.rules.evidence import figures, recent_marks, sessions

SUSPENDED = NUMBERS["E"]
LONG_AGO = 10_000
PRIOR = np.float32(0.4), np.float32(15)
"""What is believed of a pupil of whom nothing is known: absences that begin, and days."""


RETURN = np.dtype(
    [
        # School days of absence up to now without a day in school.
        ("run", np.int32),
        # School days since the pupil came back; `LONG_AGO` when nothing is watched.
        ("days_back", np.int32),
        # Absences that have begun since.
        ("again", np.int32),
        # Absences that began when nothing was watched, and days on which one could have.
        ("began", np.float32),
        ("free", np.float32),
        ("rings", np.bool_),
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

    More often, too, than was their habit: some are suspended who are often away in any case.

    Source:
        Suspension and permanent exclusion guidance (DfE, 2024): a strategy for reintegration, and
        its review. Working together to improve school attendance (August 2024): support on return
        from long absence. Figures are ours.
    """

    long_days: int = 10
    watched_days: int = 25
    again_min: int = 3
    rise_min: float = 4.71

    kind = "relapse"
    version = "2"
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
        """Days of a long absence, days watched after it, and new absences that ring."""
        return asdict(self)

    def start(self, pupils: int) -> Return:
        """Return nobody watched."""
        nobody = np.zeros(pupils, RETURN)
        nobody["days_back"] = LONG_AGO
        return Return(nobody, np.zeros(pupils, np.bool_), NOTHING)

    def step(self, state: Return, column: Column) -> tuple[Return, Signals]:
        """Watch who comes back; ring when they are away again often enough."""
        suspended = state.suspended | (column.codes == SUSPENDED)
        day = column.day
        if day is None:
            return Return(state.pupils, suspended, state.rung), state.rung
        pupils, changed = _step(state.pupils, suspended, day.pupils, self._figures)
        rung = signals(pupils["rings"], 0, Severity.warning) if changed else state.rung
        return Return(pupils, suspended, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the absences since the return."""
        chosen = ABSENT[record.codes] & recent_marks(record, self.watched_days)
        text = (
            f"Came back from a suspension or a long absence within the last {self.watched_days} "
            f"school days, and has since been absent {self.again_min} times or more: "
            f"{int(chosen.sum())} sessions. Four weeks of steady attendance clear this."
        )
        return Finding(
            text, {**figures(missed=int(chosen.sum())), "sessions": sessions(record, chosen)}
        )


FIGURES = record_of(Relapse().parameters)


@inlined
def _rings(pupil: Any, rule: Any) -> Any:
    if pupil.again < rule.again_min:
        return False
    habit = (pupil.began + PRIOR[0]) / (pupil.free + PRIOR[1])
    usual = habit * np.float32(min(pupil.days_back, rule.watched_days))
    return pupil.again >= np.float32(rule.rise_min) * usual


@kernel(RETURN, np.bool_, PUPIL_DAY, FIGURES)
def _step(before: Rows, suspended: Bools, today: Rows, figures: Rows) -> tuple[Rows, bool]:
    """Take a day; who is in school is no longer suspended, which is written into `suspended`."""
    after, rule, changed = before.copy(), figures[0], False
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        in_school = day.came and not day.absent
        back = in_school and (suspended[p] or pupil.run >= rule.long_days)
        pupil.days_back = 0 if back else min(pupil.days_back + 1, LONG_AGO)
        watched = pupil.days_back <= rule.watched_days
        begins = day.begins and not day.medical and not day.shared
        pupil.again = pupil.again + begins if watched and not back else 0
        pupil.run = 0 if in_school else pupil.run + day.absent
        suspended[p] &= not in_school
        pupil.rings = _rings(pupil, rule)
        pupil.began += np.float32(day.begins and not watched)
        pupil.free += np.float32(day.free and not watched)
        changed |= pupil.rings != before[p].rings
    return after, changed


RULES = (Relapse(),)
