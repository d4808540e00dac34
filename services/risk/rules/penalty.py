"""The national threshold at which a penalty notice is to be considered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import UNAUTHORISED, Codes
from services.risk.compiled import kernel
from services.risk.fold import (
    NOTHING,
    Bools,
    Column,
    Finding,
    Ints,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions

Counts = NDArray[np.uint8]


class Weeks(NamedTuple):
    """Unauthorised sessions in each of the latest school weeks."""

    school_week: int
    counts: Counts
    """Shape (weeks, P); a week's row is its number modulo `weeks`."""
    totals: Ints
    """Unauthorised sessions in all the weeks that count, shape (P,)."""
    rings: Bools
    """Shape (P,)."""
    since: Ints
    """Ordinal of the morning of the day on which the threshold was met, shape (P,)."""
    rung: Signals


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
    clears = "This clears when the school weeks that count hold fewer such sessions."
    severities = (Severity.warning,)
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
        none = np.zeros(pupils, np.int32)
        counts = np.zeros((self.weeks, pupils), np.uint8)
        return Weeks(0, counts, none, np.zeros(pupils, np.bool_), none, NOTHING)

    def step(self, state: Weeks, column: Column) -> tuple[Weeks, Signals]:
        """Ring while the latest `weeks` school weeks hold `sessions_min` or more."""
        week, counts, totals = column.school_week, state.counts.copy(), state.totals.copy()
        of_weeks = (state.school_week, week, self.sessions_min)
        if not _count(counts, totals, state.rings, column.codes, *of_weeks):
            return Weeks(week, counts, totals, *state[3:]), state.rung
        rings = totals >= self.sessions_min
        met = rings & ~state.rings
        since = np.where(met, np.int32(column.ordinal // 2 * 2), state.since)
        rung = signals(rings, since, Severity.warning)
        return Weeks(week, counts, totals, rings, since, rung), rung

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


@kernel((np.uint8, 2), np.int32, np.bool_, np.uint8, int, int, int)
def _count(
    counts: Counts,
    totals: Ints,
    rings: Bools,
    codes: Codes,
    latest: int,
    week: int,
    least: int,
) -> bool:
    """Forget the weeks that have passed since the latest, and count a session in this one.

    Return whether others than those in `rings` reach the threshold.
    """
    for passed in range(latest + 1, week + 1):
        row = counts[passed % len(counts)]
        for p in range(len(codes)):
            totals[p] -= row[p]
            row[p] = 0
    row, changed = counts[week % len(counts)], False
    for p in range(len(codes)):
        if UNAUTHORISED[codes[p]]:
            row[p] += 1
            totals[p] += 1
        changed |= rings[p] != (totals[p] >= least)
    return changed


RULES = (PenaltyThreshold(),)
