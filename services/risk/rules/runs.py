"""Rules on continuous absence: ten days unauthorised, and missing education."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, UNAUTHORISED, mask_of
from services.risk.fold import Bools, Column, Finding, Ints, PupilRecord, Severity, Signals, signals
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions

SESSIONS_A_DAY = 2
LEAVE = mask_of(("C", "C1", "H"))
"""Leave with an end: who does not return from it may be missing education."""


class Run(NamedTuple):
    """A pupil's present run of unauthorised sessions; each of shape (P,)."""

    length: Ints
    """Possible sessions in the run; 0: none."""
    since: Ints
    """Ordinal of the run's first session."""
    after_leave: Bools
    """Whether the session before the run was leave."""
    on_leave: Bools
    """Whether the latest possible session was leave."""


def start_run(pupils: int) -> Run:
    """Return no run for anybody."""
    none = np.zeros(pupils, np.int32)
    no = np.zeros(pupils, np.bool_)
    return Run(none, none, no, no)


def step_run(run: Run, column: Column) -> Run:
    """Lengthen, begin or end each pupil's run; a session that does not count does neither."""
    begins = column.unauthorised & (run.length == 0)
    ends = column.possible & ~column.unauthorised
    length = np.where(ends, 0, run.length + column.unauthorised).astype(np.int32)
    return Run(
        length,
        np.where(begins, column.ordinal, run.since).astype(np.int32),
        np.where(begins, run.on_leave, run.after_leave),
        np.where(column.possible, LEAVE[column.codes], run.on_leave),
    )


@dataclass(frozen=True)
class TenDaysUnauthorised:
    """Pupils absent without authority for a continuous ten school days.

    Half days count half; sessions that do not count neither break the run nor lengthen it.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 13.
    """

    days_min: int = 10

    kind = "ten-days-unauthorised"
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
        return start_run(pupils)

    def step(self, state: Run, column: Column) -> tuple[Run, Signals]:
        """Ring for runs of `days_min` days or more, anchored at the run's first session."""
        run = step_run(state, column)
        rings = run.length >= self.days_min * SESSIONS_A_DAY
        return run, signals(rings, run.since, Severity.warning)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the run from its first session."""
        return explain_run(record, anchor, "An attendance return to the local authority is due.")


@dataclass(frozen=True)
class MissingEducation:
    """Pupils whose continuous unauthorised absence calls for enquiries by school and authority.

    Twenty school days, or ten that follow leave from which the pupil did not return.

    Source:
        School Attendance (Pupil Registration) (England) Regulations 2024, regulation 9.
    """

    days_min: int = 20
    days_after_leave_min: int = 10

    kind = "missing-education"
    version = "1"
    emerging = False
    rank = 0
    title = "Not returned: the child may be missing education"
    source = "SI 2024/208, regulation 9 (deletion from the register)"
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
        return start_run(pupils)

    def step(self, state: Run, column: Column) -> tuple[Run, Signals]:
        """Ring for long enough runs, anchored at the run's first session."""
        run = step_run(state, column)
        least = np.where(run.after_leave, self.days_after_leave_min, self.days_min)
        return run, signals(run.length >= least * SESSIONS_A_DAY, run.since, Severity.urgent)

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
