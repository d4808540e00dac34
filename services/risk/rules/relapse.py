"""Pupils who came back, from a suspension or a long absence, and are away again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, NUMBERS
from services.risk.fold import (
    NOTHING,
    Bools,
    Column,
    Finding,
    Ints,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.cusum import Floats
from services.risk.rules.evidence import figures, recent_marks, sessions

SUSPENDED = NUMBERS["E"]
LONG_AGO = 10_000
PRIOR = np.float32(0.4), np.float32(15)
"""What is believed of a pupil of whom nothing is known: absences that begin, and days."""


class Return(NamedTuple):
    """Each of shape (P,)."""

    run: Ints
    """School days of absence up to now without a day in school."""
    suspended: Bools
    """Suspended on the latest days, and not yet back."""
    days_back: Ints
    """School days since the pupil came back; `LONG_AGO` when nothing is watched."""
    again: Ints
    """Absences that have begun since."""
    began: Floats
    free: Floats
    """Absences that began when nothing was watched, and days on which one could have."""
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
        none = np.zeros(pupils, np.int32)
        never = np.full(pupils, LONG_AGO, np.int32)
        zero = np.zeros(pupils, np.float32)
        return Return(none, np.zeros(pupils, np.bool_), never, none, zero, zero, NOTHING)

    def step(self, state: Return, column: Column) -> tuple[Return, Signals]:
        """Watch who comes back; ring when they are away again often enough."""
        suspended = state.suspended | (column.codes == SUSPENDED)
        day = column.day
        if day is None:
            return state._replace(suspended=suspended), state.rung
        in_school = day.came & ~day.absent
        back = in_school & (suspended | (state.run >= self.long_days))
        days_back = np.where(back, 0, np.minimum(state.days_back + 1, LONG_AGO)).astype(np.int32)
        watched = days_back <= self.watched_days
        begins = day.begins & watched & ~day.medical & ~day.shared
        again = np.where(back | ~watched, 0, state.again + begins).astype(np.int32)
        run = np.where(in_school, 0, state.run + day.absent).astype(np.int32)
        rung = signals(self._rings(state, again, days_back), 0, Severity.warning)
        after = Return(
            run,
            suspended & ~in_school,
            days_back,
            again,
            state.began + (day.begins & ~watched),
            state.free + (day.free & ~watched),
            rung,
        )
        return after, rung

    def _rings(self, state: Return, again: Ints, days_back: Ints) -> Bools:
        habit = (state.began + PRIOR[0]) / (state.free + PRIOR[1])
        usual = habit * np.minimum(days_back, self.watched_days).astype(np.float32)
        return (again >= self.again_min) & (again >= np.float32(self.rise_min) * usual)

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


RULES = (Relapse(),)
