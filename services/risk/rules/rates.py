"""Rules on the academic year so far: persistent and severe absence, and the sickness return."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from libs.common.codes import ABSENT, POSSIBLE
from libs.common.school_day import academic_year_of, day_of
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, PupilRule, Severity
from services.risk.rules.evidence import figures, sessions
from services.risk.signals import year_anchor
from services.risk.tallies import ILLNESS, SESSIONS_A_DAY


def former_schools(possible: int, missed: int) -> str:
    """Return in words what of a pupil's year was at former schools; nothing if nothing was."""
    return f" Of these, {missed} of {possible} were at former schools." if possible else ""


RINGS = np.dtype([("rings", np.bool_)])


class OfYear(PupilRule):
    """A rule on the counts of an academic year."""

    each_day = False
    remembers = RINGS


@inlined
def _missed_a_share(mine: Any, seen: Any, rule: Any) -> None:
    # Whole numbers, so that exactly 10 % rings whatever 0.1 rounds to.
    tally = seen.tally
    rang = mine.rings and not seen.new_year
    had, gone = tally.possible_in_all, tally.missed_in_all
    enough = gone * 100 >= (rule.percent_clear if rang else rule.percent_min) * had
    mine.rings = enough and had >= rule.possible_min and tally.possible > 0


@dataclass(frozen=True)
class RateOfAbsence(OfYear):
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
    look = staticmethod(_missed_a_share)
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


@inlined
def _was_ill(mine: Any, seen: Any, rule: Any) -> None:
    mine.rings = seen.tally.ill >= SESSIONS_A_DAY * rule.days_min


@dataclass(frozen=True)
class SicknessReturn(OfYear):
    """Pupils with fifteen school days of illness, in a row or in all, in the academic year.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 13; Working
        together to improve school attendance (August 2024): sickness returns.
    """

    days_min: int = 15

    look = staticmethod(_was_ill)
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


PERSISTENT = RateOfAbsence("persistent-absence", 10, 9, Severity.notice)
SEVERE = RateOfAbsence("severe-absence", 50, 45, Severity.warning)
RULES = (PERSISTENT, SEVERE, SicknessReturn())
