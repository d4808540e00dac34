"""Much illness: another conversation, another route."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, mask_of
from services.risk.compiled import kernel
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.pupil_days import PUPIL_DAY
from services.risk.rules.evidence import alike, recent_marks, sessions, since_in_words
from services.risk.rules.odds import Rows
from services.risk.rules.rates import year_anchor

MEDICAL = mask_of("IM")


ILLNESS = np.dtype([("times", np.int32), ("rings", np.bool_)], align=True)
"""How often it has rung for the pupil, and whether it does."""


class Illness(NamedTuple):
    """State."""

    academic_year: int
    pupils: Rows
    """Of `ILLNESS`, shape (P,)."""
    rung: Signals


@dataclass(frozen=True)
class HealthAbsence:
    """Pupils with much illness or many appointments lately, and little other absence.

    Days of illness are added up, each fading by 3 % a school day: a sum of eleven is thirteen days
    without a break, or a day in three for a term.

    Source:
        Supporting pupils at school with medical conditions (DfE, 2015); Arranging education for
        children who cannot attend school because of health needs (DfE, 2023). Figures are ours.
    """

    days_min: float = 11.0
    days_clear: float = 4.0

    kind = "health-absence"
    clears = (
        "This clears after about seven school weeks with "
        "hardly any illness; later after a long one."
    )
    severities = (Severity.notice,)
    version = "2"
    emerging = False
    rank = 0
    title = "Much illness lately"
    source = (
        "Arranging education for children who cannot attend school because of health needs (DfE, "
        "December 2023); Supporting pupils at school with medical conditions (DfE, 2015)"
    )
    asks = (
        "The school asks how it can help with health and with learning meanwhile: a health plan, "
        "the school nurse, work sent home. It does not mean that the illness is doubted."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Faded days of illness at which it rings, and below which it clears."""
        return asdict(self)

    def start(self, pupils: int) -> Illness:
        """Return nobody ill."""
        return Illness(0, np.zeros(pupils, ILLNESS), NOTHING)

    def step(self, state: Illness, column: Column) -> tuple[Illness, Signals]:
        """Ring for medical absence from `days_min` on; clear below `days_clear`."""
        day, year = column.day, column.academic_year
        if day is None:
            return state, state.rung
        pupils, changed = _step(state.pupils, day.pupils, self.days_min, self.days_clear)
        rung = state.rung
        if changed or year != state.academic_year:
            anchors = year_anchor(year) + pupils["times"]
            rung = signals(pupils["rings"], anchors, Severity.notice)
        return Illness(year, pupils, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the illness of the last term."""
        ill, possible = MEDICAL[record.codes], POSSIBLE[record.codes]
        lately = recent_marks(record, 60)
        chosen = ill & lately
        days, of = int(chosen.sum()) / 2, int((possible & lately).sum()) / 2
        earlier, before = int((ill & ~lately).sum()) / 2, int((possible & ~lately).sum()) / 2
        was = f" Before that, {earlier:g} of {before:g}." if before else ""
        text = (
            f"Ill or at appointments (codes I and M) for {days:g} of the last {of:g} school days"
            f"{since_in_words(record, chosen)}, with little other absence.{was} {self.clears}"
        )
        facts = {"days": days, "of": of, "days_before": earlier, "of_before": before}
        likened = alike(record, lately, MEDICAL, "had at least as much")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


@kernel(ILLNESS, PUPIL_DAY, float, float)
def _step(before: Rows, today: Rows, least: float, clear: float) -> tuple[Rows, bool]:
    after, changed = before.copy(), False
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        begins = day.illness >= np.float32(least) and day.medical and not pupil.rings
        pupil.rings = begins or (pupil.rings and day.illness >= np.float32(clear))
        pupil.times += begins
        changed |= pupil.rings != before[p].rings
    return after, changed


RULES = (HealthAbsence(),)
