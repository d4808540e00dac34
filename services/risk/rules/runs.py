"""Rules on continuous absence: ten days unauthorised, and missing education."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, UNAUTHORISED, Codes, mask_of
from services.risk.compiled import kernel
from services.risk.fold import NOTHING, Column, Finding, PupilRecord, Severity, Signals, signals
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions
from services.risk.rules.odds import Rows

SESSIONS_A_DAY = 2
LEAVE = mask_of(("C", "C1", "H"))
"""Leave with an end: who does not return from it may be missing education."""


RUN = np.dtype(
    [
        # Possible sessions in the run; 0: none.
        ("length", np.int32),
        # Ordinal of the run's first session.
        ("since", np.int32),
        # Whether the session before the run was leave.
        ("after_leave", np.bool_),
        # Whether the latest possible session was leave.
        ("on_leave", np.bool_),
        ("rings", np.bool_),
    ],
    align=True,
)


class Run(NamedTuple):
    """Pupils' present runs of unauthorised sessions."""

    pupils: Rows
    """Of `RUN`, shape (P,)."""
    rung: Signals


def step_run(
    run: Run, column: Column, least: int, least_after_leave: int, severity: Severity
) -> tuple[Run, Signals]:
    """Ring for runs of so many days or more, anchored at the run's first session."""
    limits = (least * SESSIONS_A_DAY, least_after_leave * SESSIONS_A_DAY)
    pupils, changed = _step(run.pupils, column.codes, column.ordinal, *limits)
    rung = signals(pupils["rings"], pupils["since"], severity) if changed else run.rung
    return Run(pupils, rung), rung


@kernel(RUN, np.uint8, int, int, int)
def _step(
    before: Rows, codes: Codes, ordinal: int, least: int, least_after_leave: int
) -> tuple[Rows, bool]:
    """Lengthen, begin or end each pupil's run; a session that does not count does neither."""
    after, changed = before.copy(), False
    for p in range(len(codes)):
        pupil, code = after[p], codes[p]
        if UNAUTHORISED[code]:
            if pupil.length == 0:
                pupil.since, pupil.after_leave = ordinal, pupil.on_leave
            pupil.length += 1
        elif POSSIBLE[code]:
            pupil.length = 0
        if POSSIBLE[code]:
            pupil.on_leave = LEAVE[code]
        pupil.rings = pupil.length >= (least_after_leave if pupil.after_leave else least)
        changed |= pupil.rings != before[p].rings or (
            pupil.rings and pupil.since != before[p].since
        )
    return after, changed


@dataclass(frozen=True)
class TenDaysUnauthorised:
    """Pupils absent without authority for a continuous ten school days.

    Half days count half; sessions that do not count neither break the run nor lengthen it.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 13.
    """

    days_min: int = 10

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

    def start(self, pupils: int) -> Run:
        """Return no run for anybody."""
        return Run(np.zeros(pupils, RUN), NOTHING)

    def step(self, state: Run, column: Column) -> tuple[Run, Signals]:
        """Ring for runs of `days_min` days or more, anchored at the run's first session."""
        return step_run(state, column, self.days_min, self.days_min, Severity.warning)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the run from its first session."""
        return explain_run(record, anchor, "An attendance return to the local authority is due.")


@dataclass(frozen=True)
class MissingEducation:
    """Pupils whose continuous unauthorised absence calls for enquiries by school and authority.

    Twenty school days, or ten that follow leave from which the pupil did not return.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, on deletion from the
        admission register; Children missing education (DfE, 2024).
    """

    days_min: int = 20
    days_after_leave_min: int = 10

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

    def start(self, pupils: int) -> Run:
        """Return no run for anybody."""
        return Run(np.zeros(pupils, RUN), NOTHING)

    def step(self, state: Run, column: Column) -> tuple[Run, Signals]:
        """Ring for long enough runs, anchored at the run's first session."""
        days = (self.days_min, self.days_after_leave_min)
        return step_run(state, column, *days, Severity.urgent)

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
