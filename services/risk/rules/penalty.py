"""The national threshold at which a penalty notice is to be considered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import UNAUTHORISED
from services.risk.fold import Bools, Column, Finding, Ints, PupilRecord, Severity, Signals, signals
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions


class Weeks(NamedTuple):
    """Unauthorised sessions in each of the latest school weeks."""

    school_week: int
    counts: Ints
    """Shape (weeks, P); a week's row is its number modulo `weeks`."""
    rings: Bools
    """Shape (P,)."""
    since: Ints
    """Ordinal of the morning of the day on which the threshold was met, shape (P,)."""


@dataclass(frozen=True)
class PenaltyThreshold:
    """Pupils with ten unauthorised sessions within ten school weeks.

    G, N, O and U in any mix, with authorised absence in between; the ten weeks are this school week
    and the nine before it, across holidays and school years.

    Source:
        National framework for penalty notices: Working together to improve school attendance (DfE,
        August 2024), chapter 6; SI 2024/210.
    """

    sessions_min: int = 10
    weeks: int = 10

    kind = "penalty-threshold"
    version = "1"
    emerging = False
    rank = 0
    title = "Ten unauthorised sessions within ten school weeks"
    source = (
        "National framework for penalty notices: Working together to improve school attendance "
        "(DfE, August 2024), chapter 6"
    )
    asks = (
        "School and local authority decide case by case, support first, whether a notice to "
        "improve, a penalty notice or something else would help. It does not ask for a fine."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Unauthorised sessions, and the school weeks that they lie within."""
        return asdict(self)

    def start(self, pupils: int) -> Weeks:
        """Return weeks without absence."""
        return Weeks(
            0,
            np.zeros((self.weeks, pupils), np.int32),
            np.zeros(pupils, np.bool_),
            np.zeros(pupils, np.int32),
        )

    def step(self, state: Weeks, column: Column) -> tuple[Weeks, Signals]:
        """Ring while the latest `weeks` school weeks hold `sessions_min` or more."""
        counts = state.counts.copy()
        for week in range(state.school_week + 1, column.school_week + 1):
            counts[week % self.weeks] = 0
        counts[column.school_week % self.weeks] += column.unauthorised
        rings = counts.sum(axis=0) >= self.sessions_min
        day = column.ordinal // 2 * 2
        since = np.where(rings & ~state.rings, day, state.since).astype(np.int32)
        after = Weeks(column.school_week, counts, rings, since)
        return after, signals(rings, since, Severity.warning)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the sessions within the ten weeks up to the day the threshold was met."""
        met = record.school_weeks[record.ordinals <= anchor + 1]
        last = int(met[-1]) if len(met) else 0
        within = (record.school_weeks > last - self.weeks) & (record.ordinals <= anchor + 1)
        counted = within & UNAUTHORISED[record.codes]
        total = int(counted.sum())
        text = (
            f"{total} sessions of unauthorised absence within {self.weeks} school weeks, up to "
            f"{in_words(anchor)}. Codes: {codes_in_words(record.codes[counted].tolist())}. At "
            f"{self.sessions_min} a penalty notice is to be considered, case by case and support "
            f"first. This clears when the latest {self.weeks} school weeks hold fewer."
        )
        facts = figures(sessions_missed=total, weeks=self.weeks)
        return Finding(text, {**facts, "sessions": sessions(record, counted)})


RULES = (PenaltyThreshold(),)
