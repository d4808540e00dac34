"""The national threshold at which a penalty notice is to be considered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from libs.common.codes import UNAUTHORISED
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, PupilRule, Severity, since_then
from services.risk.rules.evidence import codes_in_words, figures, in_words, sessions

WEEKS_MAX = 16
BITS, MOST_A_WEEK = np.uint64(4), np.uint64(15)
ONE = np.uint64(1)

LATELY = np.dtype(
    [
        # Unauthorised sessions in each of the latest school weeks, four bits a week, this one last.
        ("weeks", np.uint64),
        # In all of them.
        ("total", np.int32),
        # Ordinal of the morning of the day on which the threshold was met.
        ("since", np.int32),
        ("rings", np.bool_),
    ],
    align=True,
)


@inlined
def _pass_week(mine: Any, weeks: int) -> None:
    """Forget the first of so many weeks, and begin another."""
    first = np.uint64(weeks - 1) * BITS
    mine.total -= np.int64((mine.weeks >> first) & MOST_A_WEEK)
    mine.weeks = (mine.weeks & ((ONE << first) - ONE)) << BITS


@inlined
def _reaches_threshold(mine: Any, seen: Any, rule: Any) -> None:
    weeks = np.int64(rule.weeks)
    if mine.weeks:
        for _ in range(min(seen.weeks_passed, weeks)):
            _pass_week(mine, weeks)
    if UNAUTHORISED[seen.code] and mine.weeks & MOST_A_WEEK < MOST_A_WEEK:
        mine.weeks += ONE
        mine.total += 1
    rings = mine.total >= rule.sessions_min
    if rings and not mine.rings:
        mine.since = seen.ordinal // 2 * 2
    mine.rings = rings


@dataclass(frozen=True)
class PenaltyThreshold(PupilRule):
    """Pupils with ten unauthorised sessions within ten school weeks.

    G, N, O and U in any mix, with authorised absence in between; the ten weeks are this school week
    and the nine before it, across holidays and school years.

    Source:
        National framework for penalty notices: Working together to improve school attendance (DfE,
        August 2024), chapter 6; SI 2024/210.
    """

    sessions_min: int = 10
    weeks: int = 10

    each_day = False
    remembers = LATELY
    look = staticmethod(_reaches_threshold)
    anchor = staticmethod(since_then)
    limits = (("weeks", 1, WEEKS_MAX),)
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
