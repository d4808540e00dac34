"""A school from which so many are away that it is one event, not many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.risk import whole_school
from services.risk.fold import NOTHING, Column, Finding, SchoolRecord, Severity, Signals
from services.risk.rules.evidence import in_words, school_sessions
from services.risk.signals import about_school, year_anchor
from services.risk.signs import MASS
from services.risk.whole_school import start_school, step_school


@dataclass(frozen=True)
class MassAbsence:
    """Schools with far more pupils away than on a usual such morning or afternoon, or day by day.

    What it finds is found once for all rules, in `services.risk.whole_school`: in sudden mass
    absence an illness says nothing about the pupil who has it, and in a wave each day's absence is
    held against the school's.

    Source:
        Farrington et al., Journal of the Royal Statistical Society A 159 (1996); Watkins et al.,
        BMC Medical Informatics and Decision Making 8:37 (2008).
    """

    kind = "mass-absence"
    clears = "It clears when some days running are near the usual."
    severities = (
        Severity.notice,
        Severity.warning,
    )
    version = "2"
    emerging = False
    rank = 0
    heeds = MASS
    title = "Many pupils away at once"
    source = (
        "Farrington et al., detection of outbreaks, Journal of the Royal Statistical Society A 159 "
        "(1996); UK Health Security Agency, Health protection in children and young people "
        "settings: when to tell the health protection team"
    )
    asks = (
        "The school asks what has happened: an illness, the weather, transport, an event. "
        "Meanwhile each pupil's absence is weighed against the school's. It does not mean that "
        "each absence is accounted for."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Standard deviations, times the usual, and pupils more, all needed; or a wave's sum."""
        return {
            "deviations": whole_school.DEVIATIONS,
            "wave_needed": whole_school.WAVE_NEEDED,
            "wave_reference": whole_school.WAVE_REFERENCE,
            "times_min": whole_school.TIMES_MIN,
            "more_min": whole_school.MORE_MIN,
            "grave_times": whole_school.GRAVE_TIMES,
            "over_times": whole_school.OVER_TIMES,
            "over_sessions": whole_school.OVER_SESSIONS,
        }

    def start(self, pupils: int) -> None:
        """Need no state: the whole school's is kept for all rules."""

    def step(self, state: None, column: Column) -> tuple[None, Signals]:
        """Ring while there is mass absence; a warning once it is grave."""
        school = column.school[0]
        if not (school["mass"] or school["wave"]):
            return None, NOTHING
        severity = Severity.warning if school["grave"] else Severity.notice
        anchor = year_anchor(column.academic_year) + int(school["times"])
        return None, about_school(anchor, severity)

    def explain(self, record: SchoolRecord, anchor: int) -> Finding:
        """Tell how many are away, and how many usually."""
        school, seen = start_school(), list[int]()
        marks = zip(record.ordinals.tolist(), record.away.tolist(), record.of.tolist(), strict=True)
        for ordinal, away, of in marks:
            school = step_school(school, ordinal, away, of)
            seen = [*seen, ordinal] if school["mass"][0] or school["wave"][0] else []
        latest = school[0]
        gone, counted, expected = int(latest["away"]), int(latest["of"]), float(latest["expected"])
        share, usual = (round(100 * number / max(1, counted)) for number in (gone, expected))
        rising = "" if latest["mass"] else " Absence has risen over many sessions."
        text = (
            f"{gone} of {counted} pupils away ({share} %) on "
            f"{in_words(int(record.ordinals[-1]))}; usually {usual} % on such a session."
            f"{rising} It clears when some days running are near the usual."
        )
        facts = {"away": gone, "of": counted, "usual": round(expected, 1)}
        return Finding(text, {**facts, "sessions": school_sessions(seen)})


RULES = (MassAbsence(),)
