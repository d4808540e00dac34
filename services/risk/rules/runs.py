"""Rules on continuous absence: ten days unauthorised, and missing education."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from libs.common.codes import POSSIBLE, UNAUTHORISED
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, PupilRule, Severity, since_then
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions
from services.risk.tallies import LEAVE, SESSIONS_A_DAY

RUN = np.dtype([("rings", np.bool_), ("since", np.int32)], align=True)


class OnRuns(PupilRule):
    """A rule on a pupil's present run of unauthorised sessions, anchored at the first of them."""

    each_day = False
    remembers = RUN
    anchor = staticmethod(since_then)


@inlined
def _ring_from(mine: Any, tally: Any, days: float) -> None:
    mine.rings, mine.since = tally.run >= SESSIONS_A_DAY * days, tally.run_since


@inlined
def _has_run(mine: Any, seen: Any, rule: Any) -> None:
    _ring_from(mine, seen.tally, rule.days_min)


@inlined
def _has_not_returned(mine: Any, seen: Any, rule: Any) -> None:
    tally = seen.tally
    _ring_from(mine, tally, rule.days_after_leave_min if tally.run_after_leave else rule.days_min)


@dataclass(frozen=True)
class TenDaysUnauthorised(OnRuns):
    """Pupils absent without authority for a continuous ten school days.

    Half days count half; sessions that do not count neither break the run nor lengthen it.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 13.
    """

    days_min: int = 10

    look = staticmethod(_has_run)
    kind = "ten-days-unauthorised"
    clears = "A session attended, or authorised by a correction, clears this."
    severities = (Severity.warning,)
    version = "1"
    emerging = False
    rank = 0
    title = "Ten school days of continuous unauthorised absence"
    source = "SI 2024/208, regulation 13 (attendance returns to the local authority)"
    asks = (
        "The school gives the local authority a return with the pupil's name, address and the "
        "reason known. It does not mean that anybody is at fault."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """`days_min`: school days."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the run from its first session."""
        return explain_run(record, anchor, "An attendance return to the local authority is due.")


@dataclass(frozen=True)
class MissingEducation(OnRuns):
    """Pupils whose continuous unauthorised absence calls for enquiries by school and authority.

    Twenty school days, or ten that follow leave from which the pupil did not return.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, on deletion from the
        admission register; Children missing education (DfE, 2024).
    """

    days_min: int = 20
    days_after_leave_min: int = 10

    look = staticmethod(_has_not_returned)
    kind = "missing-education"
    clears = "A session attended, or authorised by a correction, clears this."
    severities = (Severity.urgent,)
    version = "2"
    emerging = False
    rank = 0
    title = "Not returned: the child may be missing education"
    source = (
        "SI 2024/208 (deletion from the admission register); Children missing education (DfE, 2024)"
    )
    asks = (
        "School and local authority together make reasonable enquiries into where the child is. "
        "Until they have, the name stays on the register. It does not mean that the family has "
        "done wrong."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """School days of continuous unauthorised absence, without and after leave."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the run from its first session, and whether it followed leave."""
        before = record.codes[(record.ordinals < anchor) & POSSIBLE[record.codes]]
        left = " It followed leave from which the pupil did not return." * bool(
            len(before) and LEAVE[before[-1]]
        )
        asks = "School and local authority should together enquire where the child is."
        return explain_run(record, anchor, f"{left} {asks}".strip())


def explain_run(record: PupilRecord, anchor: int, then: str) -> Finding:
    """Tell a run of unauthorised absence from its first session on."""
    counted = POSSIBLE[record.codes] & (record.ordinals >= anchor)
    ended = np.flatnonzero(counted & ~UNAUTHORISED[record.codes])
    last = int(ended[0]) if len(ended) else len(record.codes)
    run = counted & (np.arange(len(record.codes)) < last)
    missed = int(run.sum())
    back = f" until {in_words(int(record.ordinals[last]))}" if len(ended) else ""
    text = (
        f"Absent without authority for {missed / SESSIONS_A_DAY:g} school days in a row, from "
        f"{in_words(anchor)}{back}. Codes: {codes_in_words(record.codes[run].tolist())}. {then} "
        "A session attended, or authorised by a correction, clears this."
    )
    facts = figures(days=missed / SESSIONS_A_DAY, sessions_missed=missed)
    return Finding(text, {**facts, "sessions": sessions(record, run)})


RULES = (TenDaysUnauthorised(), MissingEducation())
