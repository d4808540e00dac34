"""Pupils who keep missing the same sessions together."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import UNAUTHORISED
from services.risk.fold import NOTHING, Column, Finding, PupilRecord, Severity, Signals, signals
from services.risk.rules.evidence import recent_marks, sessions

TODAY = np.uint64(1)


class Company(NamedTuple):
    """State: nothing but what rings; the days away are in the day itself."""

    rung: Signals


@dataclass(frozen=True)
class GroupAbsence:
    """Pupils away without a reason on the same days as the same others, and seldom without them.

    Days on which many are away do not count. Compared are the last 64 school days. Of two pupils
    alone more is needed than of three or more.

    Source:
        Keeping children safe in education: exploitation often shows in children who go missing
        together. The measure is Jaccard's (1912). Figures are ours, see docs/detection.md.
    """

    days_min: int = 3
    others_min: int = 2
    shared_min: float = 0.5
    pair_days_min: int = 4
    pair_shared_min: float = 0.617

    limits = (("shared_min", 0.01, 1), ("pair_shared_min", 0.01, 1))
    kind = "group-absence"
    version = "2"
    emerging = True
    rank = 4
    title = "Missing the same sessions as the same other pupils"
    source = (
        "Shared days by Jaccard's coefficient (1912); Keeping children safe in education: going "
        "missing with others as a sign of exploitation"
    )
    asks = (
        "The school looks at the pupils together: where they go, who is older, who is afraid. It "
        "does not name the others here, and does not mean that the pupil leads."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Days shared, other pupils, and the share of all days away that are shared."""
        return asdict(self)

    def start(self, pupils: int) -> Company:
        """Return nobody."""
        return Company(NOTHING)

    def step(self, state: Company, column: Column) -> tuple[Company, Signals]:
        """Compare the pupils who were away today with one another."""
        day = column.day
        if day is None:
            return state, state.rung
        away = np.flatnonzero(day.recent & TODAY)
        days = day.recent[away]
        own = np.bitwise_count(days).astype(np.int32)
        often = own >= self.days_min
        away, days, own = away[often], days[often], own[often]
        shared = np.bitwise_count(days[:, None] & days[None, :]).astype(np.int32)
        either = own[:, None] + own[None, :] - shared
        same = (shared >= self.days_min) & (shared >= self.shared_min * either)
        pair = (shared >= self.pair_days_min) & (shared >= self.pair_shared_min * either)
        np.fill_diagonal(same, val=False)
        np.fill_diagonal(pair, val=False)
        company = away[(same.sum(axis=1) >= self.others_min) | pair.any(axis=1)]
        rung = signals(company, 0, Severity.warning)
        return Company(rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the days, not the others."""
        chosen = UNAUTHORISED[record.codes] & recent_marks(record, 64)
        days = len(np.unique(record.ordinals[chosen] // 2))
        text = (
            f"Away without a reason on {days} of the last 64 school days, on at least "
            f"{self.days_min} of them together with the same {self.others_min} or more other "
            "pupils of the school. Four weeks without this clear it."
        )
        return Finding(text, {"days": days, "sessions": sessions(record, chosen)})


RULES = (GroupAbsence(),)
