"""Rules on code N: a child with a worker is absent unexplained; a reason is overdue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.compiled import kernel
from services.risk.fold import NOTHING, Column, Finding, Ints, PupilRecord, Severity, Signals
from services.risk.rules.evidence import figures, in_words, sessions
from services.risk.tallies import NO_REASON


class RecentDays(NamedTuple):
    """Unexplained absence on the latest school days; row n is the day whose number modulo is n."""

    school_day: int
    mornings: Ints
    """Ordinal of each day's morning, shape (days,)."""
    severities: NDArray[np.uint8]
    """Shape (days, P); 0: no unexplained absence of a child with a worker."""
    rung: Signals


@dataclass(frozen=True)
class UnexplainedAbsence:
    """Children with a social worker or youth justice worker who are absent without a reason.

    One bell a child and school day. It rings while the N stands, until the reason is overdue: then
    that rule has taken over.

    Source:
        Working together to improve school attendance (DfE, August 2024): the worker is told.
    """

    days_open: int = 5

    kind = "unexplained-absence"
    clears = (
        "A reason entered in the register withdraws this; after five "
        "school days the bell for an overdue reason takes over."
    )
    severities = (
        Severity.warning,
        Severity.urgent,
    )
    version = "2"
    emerging = False
    rank = 0
    title = "A child with a social worker or youth justice worker is absent without a reason"
    source = "Working together to improve school attendance (DfE, August 2024)"
    asks = (
        "The school tells the child's social worker or youth justice worker the same day, and "
        "goes on trying to reach the family. It says that nobody has given a reason yet, not that "
        "something is wrong."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """`days_open`: school days after the absence during which the bell may ring."""
        return asdict(self)

    def start(self, pupils: int) -> RecentDays:
        """Return days without absence."""
        days = self.days_open + 1
        mornings, severities = np.zeros(days, np.int32), np.zeros((days, pupils), np.uint8)
        return RecentDays(-1, mornings, severities, NOTHING)

    def step(self, state: RecentDays, column: Column) -> tuple[RecentDays, Signals]:
        """Ring for each recent day on which an N stands, anchored at that day's morning."""
        rung = state.rung
        concerns = column.tallies.without_reason and _concerns(column.codes, column.worker)
        if not (len(rung.pupils) or concerns):
            return state, rung  # as nearly always; there is nothing in its days to forget
        mornings, severities = state.mornings.copy(), state.severities.copy()
        days = len(mornings)
        first = max(state.school_day + 1, column.school_day - days + 1)
        passed = [_forget(severities[day % days]) for day in range(first, column.school_day + 1)]
        row = column.school_day % days
        mornings[row] = column.ordinal // 2 * 2
        if _note(severities[row], column.codes, column.worker) or any(passed):
            pupils, rows = np.nonzero(severities.T)
            order = np.lexsort((mornings[rows], pupils))
            pupils, rows = pupils[order], rows[order]
            rung = Signals(pupils.astype(np.int32), mornings[rows], severities[rows, pupils])
        return RecentDays(column.school_day, mornings, severities, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the day's sessions without a reason."""
        that_day = (record.ordinals // 2 == anchor // 2) & (record.codes == NO_REASON)
        halves = ["afternoon" if o % 2 else "morning" for o in record.ordinals[that_day].tolist()]
        text = (
            f"Absent on {in_words(anchor)} ({' and '.join(halves) or 'since explained'}) and no "
            "reason is known yet (code N). The child has a social worker or youth justice worker, "
            "who should be told the same day. A reason entered in the register withdraws this."
        )
        return Finding(text, {"sessions": sessions(record, that_day)})


@kernel(np.uint8, np.uint8)
def _concerns(codes: Codes, worker: NDArray[np.uint8]) -> bool:
    """Return whether a pupil with a worker is absent without a reason."""
    found = False
    for p in range(len(codes)):
        found |= (codes[p] == NO_REASON) & (worker[p] > 0)
    return found


@kernel(np.uint8)
def _forget(severities: NDArray[np.uint8]) -> bool:
    """Make a day's row ready for another; return whether there was anything in it."""
    found = False
    for p in range(len(severities)):
        found |= severities[p] > 0
        severities[p] = 0
    return found


@kernel(np.uint8, np.uint8, np.uint8)
def _note(severities: NDArray[np.uint8], codes: Codes, worker: NDArray[np.uint8]) -> bool:
    """Note a session in its day's row; return whether that says more than it did."""
    changed = False
    for p in range(len(codes)):
        if codes[p] == NO_REASON and worker[p]:
            level = worker[p] + 1  # 1 warns, 2 is urgent
            changed |= level > severities[p]
            severities[p] = max(severities[p], level)
    return changed


class Waiting(NamedTuple):
    """Days whose N still waits for its reason."""

    academic_year: int
    school_day: int
    mornings: tuple[int, ...]
    """Ordinal of each recent day's morning, `days` of them; 0: none of its marks is N. The n-th is
    the day whose number modulo `days` is n."""
    runs: Ints
    """Morning of the first day of the run that a recent day's N is in, shape (days, P); 0: no N."""
    rung: Signals
    """Overdue runs of this academic year."""


@dataclass(frozen=True)
class ReasonOverdue:
    """Pupils with a mark N older than five school days: a bell a run of school days with an N.

    Source:
        Working together to improve school attendance (DfE, August 2024), code N: to be replaced
        within five school days of the session, otherwise by O.
    """

    days_max: int = 5

    kind = "reason-overdue"
    clears = "Enter the reason, or O where none can be established: that withdraws this."
    severities = (Severity.notice,)
    version = "2"
    emerging = False
    rank = 0
    title = "A reason for absence is overdue"
    source = "Working together to improve school attendance (DfE, August 2024), code N"
    asks = (
        "The school enters the reason, or code O where none can be established. It is about the "
        "register, not about the child."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """`days_max`: school days after the session within which N is to be replaced."""
        return asdict(self)

    def start(self, pupils: int) -> Waiting:
        """Return nothing that waits."""
        days = self.days_max + 1
        return Waiting(0, -1, (0,) * days, np.zeros((days, pupils), np.int32), NOTHING)

    def step(self, state: Waiting, column: Column) -> tuple[Waiting, Signals]:
        """Ring from the first session that is more than `days_max` school days after an N's."""
        if state.academic_year != column.academic_year:
            fresh = self.start(len(column.codes))
            state = fresh._replace(academic_year=column.academic_year, school_day=column.school_day)
        without = column.tallies.without_reason > 0
        if not (without or any(state.mornings)):
            return state, state.rung  # nothing waits, whatever days pass
        mornings, runs, rung = list(state.mornings), state.runs.copy(), state.rung
        days, row = len(mornings), column.school_day % len(mornings)
        for day in range(state.school_day + 1, column.school_day + 1):
            morning, mornings[day % days] = mornings[day % days], 0
            if morning:
                rung = _joined(rung, _take_due(runs[day % days], morning), morning)
        if without:
            mornings[row] = column.ordinal // 2 * 2
            _wait(runs[row], runs[row - 1], column.codes, mornings[row])
        return Waiting(column.academic_year, column.school_day, tuple(mornings), runs, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the marks of the run that wait."""
        without = (record.codes == NO_REASON) & (record.ordinals >= anchor)
        days = np.unique(record.school_days[without])
        run = days[days - np.arange(len(days)) == days[:1]]
        latest = int(record.school_days[-1]) if len(record.school_days) else 0
        waiting = without & np.isin(record.school_days, run[run < latest - self.days_max])
        count = int(waiting.sum())
        still = "1 session still has" if count == 1 else f"{count} sessions still have"
        text = (
            f"{still} no reason (code N) after more than {self.days_max} school days, from "
            f"{in_words(anchor)} on. {self.clears}"
        )
        facts = figures(sessions_waiting=count)
        return Finding(text, {**facts, "sessions": sessions(record, waiting)})


@kernel(np.int32, int)
def _take_due(runs: Ints, morning: int) -> Ints:
    """Make a day's row ready for another; return the positions of those whose run it began.

    A run rings with its first day; its later days have that day's morning too.
    """
    due, count = np.empty(len(runs), np.int32), 0
    for p in range(len(runs)):
        if runs[p] > 0 and runs[p] == morning:
            due[count] = p
            count += 1
        runs[p] = 0
    return due[:count]


@kernel(np.int32, np.int32, np.uint8, int)
def _wait(runs: Ints, day_before: Ints, codes: Codes, morning: int) -> None:
    """Note a session's N in its day's row: in the run of the day before, or in a new one."""
    for p in range(len(codes)):
        if codes[p] == NO_REASON:
            run = max(day_before[p], runs[p])
            runs[p] = run if run > 0 else morning


def _joined(rung: Signals, due: Ints, morning: int) -> Signals:
    if not len(due):
        return rung
    pupils = np.append(rung.pupils, due)
    since = np.append(rung.anchors, np.full(len(due), morning, np.int32))
    order = np.lexsort((since, pupils))
    return Signals(pupils[order], since[order], np.full(len(pupils), Severity.notice, np.uint8))


RULES = (UnexplainedAbsence(), ReasonOverdue())
