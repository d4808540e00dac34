"""Pupils who keep missing the same sessions together."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import POSSIBLE
from services.risk.compiled import inlined, kernel, ones_in
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    Ints,
    PupilRecord,
    Severity,
    Signals,
    as_record,
    signals,
)
from services.risk.pupil_days import HARD, Rows
from services.risk.rules.evidence import alike, recent_marks, sessions, since_in_words, weighed
from services.risk.signs import DAY, TOGETHER

TODAY = np.uint64(1)
Recent = NDArray[np.uint64]
"""As `Column.recent`."""


@dataclass(frozen=True)
class GroupAbsence:
    """Pupils away without a reason on the same days as the same others, and seldom without them.

    Days on which many are away do not count. Compared are the last 64 school days. Of two pupils
    alone more is needed than of three or more.

    Source:
        Keeping children safe in education: repeated absence is a warning sign of exploitation.
        The measure is Jaccard's (1912). That being away together matters, and the figures, are
        ours: see docs/detection.md.
    """

    days_min: int = 3
    others_min: int = 2
    shared_min: float = 0.5
    pair_days_min: int = 4
    pair_shared_min: float = 0.617

    limits = (
        ("days_min", 2, 64),
        ("pair_days_min", 2, 64),
        ("shared_min", 0.01, 1),
        ("pair_shared_min", 0.01, 1),
    )
    kind = "group-absence"
    severities = (Severity.warning,)
    version = "3"
    emerging = True
    rank = 4
    heeds = TOGETHER
    title = "Missing the same sessions as the same other pupils"
    source = (
        "Shared days by Jaccard's coefficient (1912); Keeping children safe in education: "
        "repeated absence as a warning sign of exploitation"
    )
    asks = (
        "The school looks at the pupils together: where they go, who is older, who is afraid. It "
        "does not name the others here, and does not mean that the pupil leads."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Days shared, other pupils, and the share of all days away that are shared."""
        return asdict(self)

    def start(self, pupils: int) -> None:
        """Need no state: the days away are in the day itself."""

    def step(self, state: Signals | None, column: Column) -> tuple[Signals | None, Signals]:
        """Compare the pupils who were away today with one another; what rings is the state."""
        if not column.signs & DAY:
            return state, state or NOTHING
        company = _company(column.recent, self._figures)
        if not len(company):
            return None, NOTHING
        if state is None or company.tobytes() != state.pupils.tobytes():
            state = signals(company, 0, Severity.warning)
        return state, state

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the days, not the others."""
        began = _began(record)
        chosen = began & recent_marks(record, 64)
        days = len(np.unique(record.ordinals[chosen] // 2))
        earlier = len(np.unique(record.ordinals[began & ~chosen] // 2))
        text = (
            f"Absences without a reason (code O) began on {days} of the last 64 school days"
            f"{since_in_words(record, chosen)}, many of them on the same days as others': "
            f"{self.days_min} or more with each of {self.others_min} pupils, or "
            f"{self.pair_days_min} or more with one. Before those weeks, {earlier}."
        )
        facts = {"days": days, "days_before": earlier}
        likened = alike(record, recent_marks(record, 64), HARD, "had as much such absence")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


def _began(record: PupilRecord) -> NDArray[np.bool_]:
    """Return the sessions of hard absence on days on which an absence began, bool, shape (S,)."""
    absent, numbers = weighed(record), record.ordinals // 2
    possible = np.unique(numbers[POSSIBLE[record.codes]])
    away = np.isin(possible, numbers[absent])
    begins = possible[away & ~np.concatenate([[False], away[:-1]])] if len(possible) else possible
    return np.asarray(HARD[record.codes] & np.isin(numbers, begins))


FIGURES = as_record(GroupAbsence().parameters).dtype


@inlined
def _is_in_company(recent: Recent, rule: Any, away: Ints, own: Ints, n: int) -> Any:
    others = 0
    for m in range(len(away)):
        shared = ones_in(recent[away[n]] & recent[away[m]])
        either = own[n] + own[m] - shared
        if m == n:
            continue
        others += shared >= rule.days_min and shared >= rule.shared_min * either
        if shared >= rule.pair_days_min and shared >= rule.pair_shared_min * either:
            return True
    return others >= rule.others_min


@kernel(np.uint64, FIGURES)
def _company(recent: Recent, figures: Rows) -> Ints:
    """Return the positions of pupils who were away today, as often before, in company."""
    rule, count = figures[0], 0
    away, own = np.empty(len(recent), np.int32), np.empty(len(recent), np.int32)
    for p in range(len(recent)):
        if recent[p] & TODAY:
            away[count], own[count] = p, ones_in(recent[p])
            count += own[count] >= rule.days_min
    found = 0
    company = np.empty(count, np.int32)
    for n in range(count):
        if _is_in_company(recent, rule, away[:count], own, n):
            company[found] = away[n]
            found += 1
    return company[:found]


RULES = (GroupAbsence(),)
