"""Rules on code N: a child with a worker is absent unexplained; a reason is overdue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import NUMBERS
from services.risk.fold import Bools, Column, Finding, Ints, PupilRecord, Severity, Signals, signals
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
    """Days whose N still waits for its reason."""

    academic_year: int
    recent: NDArray[np.bool_]
    """Whether a day had an N, shape (days, P); row n is the day whose number modulo is n."""
    mornings: Ints
    """Ordinal of each of those days' mornings, shape (days,)."""
    school_day: int
    overdue: Bools
    """Whether an N of this academic year is overdue, shape (P,)."""
    since: Ints
    """Morning of the first such N's day, shape (P,)."""


@dataclass(frozen=True)
class ReasonOverdue:
    """Pupils with a mark N older than five school days.

    Source:
        Working together to improve school attendance (DfE, August 2024), code N: to be replaced
        within five school days of the session, otherwise by O.
    """

    days_max: int = 5

    kind = "reason-overdue"
    version = "1"
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
        return Waiting(
            0,
            np.zeros((days, pupils), np.bool_),
            np.zeros(days, np.int32),
            -1,
            np.zeros(pupils, np.bool_),
            np.zeros(pupils, np.int32),
        )

    def step(self, state: Waiting, column: Column) -> tuple[Waiting, Signals]:
        """Ring from the first session that is more than `days_max` school days after an N's."""
        if state.academic_year != column.academic_year:
            fresh = self.start(len(column.codes))
            state = fresh._replace(academic_year=column.academic_year, school_day=column.school_day)
        recent, mornings = state.recent.copy(), state.mornings.copy()
        overdue, since = state.overdue, state.since
        days = len(mornings)
        for day in range(state.school_day + 1, column.school_day + 1):
            leaving = recent[day % days]
            since = np.where(leaving & ~overdue, mornings[day % days], since).astype(np.int32)
            overdue = overdue | leaving
            recent[day % days] = False
        mornings[column.school_day % days] = column.ordinal // 2 * 2
        recent[column.school_day % days] |= column.codes == NO_REASON
        year = column.academic_year
        after = Waiting(year, recent, mornings, column.school_day, overdue, since)
        return after, signals(overdue, since, Severity.notice)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the marks that wait."""
        latest = int(record.school_days[-1]) if len(record.school_days) else 0
        old = record.school_days < latest - self.days_max
        waiting = old & (record.codes == NO_REASON) & (record.ordinals >= anchor)
        text = (
            f"{int(waiting.sum())} session(s) since {in_words(anchor)} still have no reason (code "
            f"N) after more than {self.days_max} school days. Enter the reason, or O where none "
            "can be established: that withdraws this."
        )
        facts = figures(sessions_waiting=int(waiting.sum()))
        return Finding(text, {**facts, "sessions": sessions(record, waiting)})


RULES = (UnexplainedAbsence(), ReasonOverdue())
