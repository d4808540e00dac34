"""Rules on code N: a child with a worker is absent unexplained; a reason is overdue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import NUMBERS
from services.risk.fold import Column, Finding, Ints, PupilRecord, Severity, Signals
from services.risk.rules.evidence import figures, in_words, sessions

NO_REASON = NUMBERS["N"]


class RecentDays(NamedTuple):
    """Unexplained absence on the latest school days; row n is the day whose number modulo is n."""

    school_day: int
    mornings: Ints
    """Ordinal of each day's morning, shape (days,)."""
    severities: NDArray[np.uint8]
    """Shape (days, P); 0: no unexplained absence of a child with a worker."""


@dataclass(frozen=True)
class UnexplainedAbsence:
    """Children with a social worker or youth justice worker who are absent without a reason.

    One bell a child and school day. It rings while the N stands, until the reason is overdue: then
    that rule has taken over.

    Source:
        Working together to improve school attendance (DfE, August 2024), paragraph 52.
    """

    days_open: int = 5

    kind = "unexplained-absence"
    version = "1"
    emerging = False
    rank = 0
    title = "A child with a social worker or youth justice worker is absent without a reason"
    source = "Working together to improve school attendance (DfE, August 2024), paragraph 52"
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
        return RecentDays(-1, np.zeros(days, np.int32), np.zeros((days, pupils), np.uint8))

    def step(self, state: RecentDays, column: Column) -> tuple[RecentDays, Signals]:
        """Ring for each recent day on which an N stands, anchored at that day's morning."""
        mornings, severities = state.mornings.copy(), state.severities.copy()
        days = len(mornings)
        for day in range(
            max(state.school_day + 1, column.school_day - days + 1), column.school_day + 1
        ):
            severities[day % days] = 0
        row = column.school_day % days
        mornings[row] = column.ordinal // 2 * 2
        level = np.where(column.worker > 0, column.worker + 1, 0)  # 1 warns, 2 is urgent
        now = np.where(column.codes == NO_REASON, level, 0).astype(np.uint8)
        severities[row] = np.maximum(severities[row], now)
        pupils, rows = np.nonzero(severities.T)
        order = np.lexsort((mornings[rows], pupils))
        pupils, rows = pupils[order], rows[order]
        rung = Signals(pupils.astype(np.int32), mornings[rows], severities[rows, pupils])
        return RecentDays(column.school_day, mornings, severities), rung

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


class Waiting(NamedTuple):
    """Days whose N still waits for its reason. K overdue runs of such days."""

    academic_year: int
    school_day: int
    mornings: Ints
    """Ordinal of each recent day's morning, shape (days,); row n is the day of number modulo n."""
    runs: Ints
    """Morning of the first day of the run that a recent day's N is in, shape (days, P); 0: no N."""
    pupils: Ints
    """Positions of pupils with an overdue run in this academic year, shape (K,)."""
    since: Ints
    """Morning of the run's first day, shape (K,)."""


@dataclass(frozen=True)
class ReasonOverdue:
    """Pupils with a mark N older than five school days: a bell a run of school days with an N.

    Source:
        Working together to improve school attendance (DfE, August 2024), code N: to be replaced
        within five school days of the session, otherwise by O.
    """

    days_max: int = 5

    kind = "reason-overdue"
    version = "1"
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
        days, none = self.days_max + 1, np.empty(0, np.int32)
        runs = np.zeros((days, pupils), np.int32)
        return Waiting(0, -1, np.zeros(days, np.int32), runs, none, none)

    def step(self, state: Waiting, column: Column) -> tuple[Waiting, Signals]:
        """Ring from the first session that is more than `days_max` school days after an N's."""
        if state.academic_year != column.academic_year:
            fresh = self.start(len(column.codes))
            state = fresh._replace(academic_year=column.academic_year, school_day=column.school_day)
        mornings, runs = state.mornings.copy(), state.runs.copy()
        pupils, since = state.pupils, state.since
        days, row = len(mornings), column.school_day % len(mornings)
        for day in range(state.school_day + 1, column.school_day + 1):
            # A run rings with its first day; its later days have that day's morning too.
            old = runs[day % days]
            first = np.flatnonzero((old > 0) & (old == mornings[day % days])).astype(np.int32)
            pupils, since = np.append(pupils, first), np.append(since, old[first])
            runs[day % days] = 0
        mornings[row] = column.ordinal // 2 * 2
        run = np.maximum(runs[row - 1], runs[row])
        run = np.where(run > 0, run, mornings[row])
        runs[row] = np.where(column.codes == NO_REASON, run, runs[row])
        order = np.lexsort((since, pupils))
        pupils, since = pupils[order], since[order]
        rung = Signals(pupils, since, np.full(len(pupils), Severity.notice, np.uint8))
        year, day = column.academic_year, column.school_day
        return Waiting(year, day, mornings, runs, pupils, since), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the marks of the run that wait."""
        without = (record.codes == NO_REASON) & (record.ordinals >= anchor)
        days = np.unique(record.school_days[without])
        run = days[days - np.arange(len(days)) == days[:1]]
        latest = int(record.school_days[-1]) if len(record.school_days) else 0
        waiting = without & np.isin(record.school_days, run[run < latest - self.days_max])
        text = (
            f"{int(waiting.sum())} session(s) from {in_words(anchor)} on still have no reason "
            f"(code N) after more than {self.days_max} school days. Enter the reason, or O where "
            "none can be established: that withdraws this."
        )
        facts = figures(sessions_waiting=int(waiting.sum()))
        return Finding(text, {**facts, "sessions": sessions(record, waiting)})


RULES = (UnexplainedAbsence(), ReasonOverdue())
