"""Rules on code N: a child with a worker is absent unexplained; a reason is overdue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.compiled import kernel
from services.risk.fold import NOTHING, Bools, Column, Finding, Ints, PupilRecord, Severity, Signals
from services.risk.rules.evidence import figures, in_words, sessions
from services.risk.signs import CONCERN, WITHOUT_REASON
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
    heeds = CONCERN
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

    def start(self, pupils: int) -> None:
        """Need no state before the first such absence."""

    def step(self, state: RecentDays | None, column: Column) -> tuple[RecentDays | None, Signals]:
        """Ring for each recent day on which an N stands, anchored at that day's morning."""
        before = state or self._no_absence(len(column.codes))
        mornings, severities, rung = before.mornings.copy(), before.severities.copy(), before.rung
        days = len(mornings)
        first = max(before.school_day + 1, column.school_day - days + 1)
        passed = [_forget(severities[day % days]) for day in range(first, column.school_day + 1)]
        row = column.school_day % days
        mornings[row] = column.ordinal // 2 * 2
        if _note(severities[row], column.codes, column.worker) or any(passed):
            pupils, rows = np.nonzero(severities.T)
            order = np.lexsort((mornings[rows], pupils))
            pupils, rows = pupils[order], rows[order]
            rung = Signals(pupils.astype(np.int32), mornings[rows], severities[rows, pupils])
        if not len(rung.pupils):
            return None, NOTHING
        return RecentDays(column.school_day, mornings, severities, rung), rung

    def _no_absence(self, pupils: int) -> RecentDays:
        days = self.days_open + 1
        mornings, severities = np.zeros(days, np.int32), np.zeros((days, pupils), np.uint8)
        return RecentDays(-1, mornings, severities, NOTHING)

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


class Without(NamedTuple):
    """A school day on which somebody's mark is N."""

    school_day: int
    morning: int
    """Its morning's ordinal."""
    sessions: tuple[Codes, ...]
    """Code numbers of its sessions with an N, each of shape (P,)."""

    @property
    def pupils(self) -> Bools:
        """Those whose mark it is, shape (P,)."""
        found: Bools = np.logical_or.reduce([codes == NO_REASON for codes in self.sessions])
        return found


class Waiting(NamedTuple):
    """Days whose N still waits for its reason."""

    academic_year: int
    days: tuple[Without, ...]
    """Of the latest `days_max` school days and this one, in order."""
    overdue: Without | None
    """The day before these."""
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
    heeds = WITHOUT_REASON
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

    def start(self, pupils: int) -> None:
        """Need no state before the first N."""

    def step(self, state: Waiting | None, column: Column) -> tuple[Waiting | None, Signals]:
        """Ring from the first session that is more than `days_max` school days after an N's.

        A run rings with its first day; what follows in it rings no more.
        """
        year = column.academic_year
        if state is None or state.academic_year != year:
            state = Waiting(year, (), None, NOTHING)
        _, days, overdue, rung = state
        if column.signs & WITHOUT_REASON:
            days = _noted(days, column)
        while days and days[0].school_day < column.school_day - self.days_max:
            due = days[0].pupils
            if overdue is not None and overdue.school_day == days[0].school_day - 1:
                due &= ~overdue.pupils
            rung = _joined(rung, np.flatnonzero(due), days[0].morning)
            overdue, days = days[0], days[1:]
        if not days and rung is NOTHING:
            return None, NOTHING
        return Waiting(year, days, overdue, rung), rung

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


def _noted(days: tuple[Without, ...], column: Column) -> tuple[Without, ...]:
    """Return the days after a session with an N."""
    day, codes = column.school_day, column.codes
    if days and days[-1].school_day == day:
        return (*days[:-1], days[-1]._replace(sessions=(*days[-1].sessions, codes)))
    return (*days, Without(day, column.ordinal // 2 * 2, (codes,)))


def _joined(rung: Signals, due: NDArray[np.intp], morning: int) -> Signals:
    if not len(due):
        return rung
    pupils = np.append(rung.pupils, due.astype(np.int32))
    since = np.append(rung.anchors, np.full(len(due), morning, np.int32))
    order = np.lexsort((since, pupils))
    return Signals(pupils[order], since[order], np.full(len(pupils), Severity.notice, np.uint8))


RULES = (UnexplainedAbsence(), ReasonOverdue())
