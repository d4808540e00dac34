"""Rules on the academic year so far: persistent and severe absence, and the sickness return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, POSSIBLE
from libs.common.school_day import academic_year_of, day_of
from services.risk.compiled import kernel
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
from services.risk.pupil_days import Rows
from services.risk.rules.evidence import figures, sessions
from services.risk.tallies import ILLNESS, TALLY


@cache
def year_anchor(academic_year: int) -> int:
    """Return the anchor of grounds that are a whole year's: its 1 August."""
    return date(academic_year, 8, 1).toordinal() * 2


def former_schools(possible: int, missed: int) -> str:
    """Return in words what of a pupil's year was at former schools; nothing if nothing was."""
    return f" Of these, {missed} of {possible} were at former schools." if possible else ""


NONE_BROUGHT = np.zeros((2, 0), np.int32)


class OfYear(NamedTuple):
    """Whose bell rings in an academic year."""

    academic_year: int
    rings: Bools
    """Shape (P,)."""
    rung: Signals

    def taken_into(self, academic_year: int) -> "OfYear":
        """Return this, or nobody where a year has begun since."""
        if self.academic_year == academic_year:
            return self
        return OfYear(academic_year, np.zeros(len(self.rings), np.bool_), NOTHING)


@dataclass(frozen=True)
class RateOfAbsence:
    """Pupils who have missed a share of their own possible sessions in the academic year so far.

    Args:
        percent_min: percent missed, inclusive.
        percent_clear: it clears below this. Ours: a pupil at the border would ring every week.
        possible_min: sessions a pupil must have had. Ours: on day one a missed morning is 50 %.

    Source:
        DfE, Pupil absence statistics: methodology. Persistently absent is 10 % or more, severely
        absent 50 % or more.
    """

    kind: str
    percent_min: int
    percent_clear: int
    severity: Severity
    possible_min: int = 20

    limits = (("percent_min", 1, 100), ("percent_clear", 0, 100))
    version = "3"
    emerging = False
    rank = 0
    source = (
        "DfE, Pupil absence statistics: methodology; Working together to improve school "
        "attendance (August 2024), chapter 6"
    )
    asks = (
        "School, family and partners look together for what stands in the way, and put support "
        "in place. The figure holds every absence, whatever the reason: it says how much, not why."
    )

    @property
    def title(self) -> str:
        """What it finds."""
        return f"{self.percent_min} % or more of this year's sessions missed"

    @property
    def clears(self) -> str:
        """What clears it."""
        return f"This clears when the figure falls below {self.percent_clear} %."

    @property
    def severities(self) -> tuple[Severity]:
        """The one of this share."""
        return (self.severity,)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Percents of possible sessions, and the fewest sessions."""
        return {
            "percent_min": self.percent_min,
            "percent_clear": self.percent_clear,
            "possible_min": self.possible_min,
        }

    def start(self, pupils: int) -> OfYear:
        """Return a year in which nobody rings."""
        return OfYear(0, np.zeros(pupils, np.bool_), NOTHING)

    def step(self, state: OfYear, column: Column) -> tuple[OfYear, Signals]:
        """Look at the counts; in integers, so that exactly 10 % rings whatever 0.1 rounds to."""
        year, pupils = column.academic_year, column.tallies.pupils
        state, brought = state.taken_into(year), column.brought
        if brought is None:
            brought = NONE_BROUGHT
        limits = (self.percent_min, self.percent_clear, self.possible_min)
        if not _ring(pupils, brought, state.rings, *limits, False):
            return state, state.rung
        rings = state.rings.copy()
        _ring(pupils, brought, rings, *limits, True)
        rung = signals(rings, year_anchor(year), self.severity)
        return OfYear(year, rings, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the year's figures so far."""
        year = academic_year_of(day_of(anchor))
        this_year = (record.ordinals >= anchor) & (record.ordinals < year_anchor(year + 1))
        absent = this_year & ABSENT[record.codes]
        had, gone = record.brought_in(year)
        possible = had + int((this_year & POSSIBLE[record.codes]).sum())
        missed = gone + int(absent.sum())
        rate = round(100 * missed / possible, 1) if possible else 0.0
        text = (
            f"Missed {missed} of {possible} possible sessions since the start of the school year: "
            f"{rate:g} %.{former_schools(had, gone)} At {self.percent_min} % or more a pupil "
            f"counts as {self.kind.replace('-absence', '')}ly absent. "
            f"{self.clears}"
        )
        facts = figures(missed=missed, possible=possible, percent=rate)
        return Finding(text, {**facts, "sessions": sessions(record, absent)})


@kernel(TALLY, (np.int32, 2), np.bool_, int, int, int, bool)
def _ring(
    pupils: Rows,
    brought: Ints,
    rings: Bools,
    percent: int,
    clear: int,
    possible_min: int,
    write: bool,
) -> bool:
    """Return whether others ring now than those in `rings`, and write them there if told to."""
    changed = False
    for p in range(len(rings)):
        here = pupils[p].possible
        had, gone = here, pupils[p].missed
        if brought.shape[1]:
            had, gone = had + brought[0, p], gone + brought[1, p]
        enough = gone * 100 >= (clear if rings[p] else percent) * had
        ring = enough and had >= possible_min and here > 0
        changed |= ring != rings[p]
        if write:
            rings[p] = ring
    return changed


@dataclass(frozen=True)
class SicknessReturn:
    """Pupils with fifteen school days of illness, in a row or in all, in the academic year.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 13; Working
        together to improve school attendance (August 2024): sickness returns.
    """

    days_min: int = 15

    kind = "sickness-return"
    clears = "It is sent once, and stays open until the school year ends."
    severities = (Severity.notice,)
    version = "1"
    emerging = False
    rank = 0
    title = "Fifteen school days of illness this year"
    source = "SI 2024/208, regulation 13 (sickness returns to the local authority)"
    asks = (
        "The school tells the local authority, so that education can be arranged where it is "
        "needed. It is about help with learning while ill, not about attendance enforcement."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """`days_min`: school days of code I."""
        return {"days_min": self.days_min}

    def start(self, pupils: int) -> OfYear:
        """Return a year in which nobody rings."""
        return OfYear(0, np.zeros(pupils, np.bool_), NOTHING)

    def step(self, state: OfYear, column: Column) -> tuple[OfYear, Signals]:
        """Ring once for the year, from the session that completes `days_min` days."""
        year = column.academic_year
        state, least = state.taken_into(year), self.days_min * 2
        if column.tallies.most_ill < least:
            return state, state.rung
        rings = state.rings.copy()
        if not _is_due(column.tallies.pupils, rings, least):
            return state, state.rung
        rung = signals(rings, year_anchor(year), Severity.notice)
        return OfYear(year, rings, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the days of illness in the year."""
        year = academic_year_of(day_of(anchor))
        this_year = (record.ordinals >= anchor) & (record.ordinals < year_anchor(year + 1))
        ill = this_year & (record.codes == ILLNESS)
        days = int(ill.sum()) / 2
        text = (
            f"Marked ill (code I) for {days:g} school days this school year; at {self.days_min} a "
            "sickness return to the local authority is due. It is sent once, and stays open until "
            "the school year ends."
        )
        return Finding(text, {"days": days, "sessions": sessions(record, ill)})


@kernel(TALLY, np.bool_, int)
def _is_due(pupils: Rows, rings: Bools, least: int) -> bool:
    """Write into `rings` whose illness has come to so many sessions; return whether it is news."""
    changed = False
    for p in range(len(rings)):
        due = pupils[p].ill >= least
        changed |= due != rings[p]
        rings[p] = due
    return changed


PERSISTENT = RateOfAbsence("persistent-absence", 10, 9, Severity.notice)
SEVERE = RateOfAbsence("severe-absence", 50, 45, Severity.warning)
RULES = (PERSISTENT, SEVERE, SicknessReturn())
