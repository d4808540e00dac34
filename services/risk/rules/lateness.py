"""Pupils who have begun to come late."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, Severity
from services.risk.pupil_days import IN_SCHOOL, LATE
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    codes_in_words,
    out_of,
    recent_marks,
    sessions,
    since_in_words,
)
from services.risk.rules.odds import (
    HABIT,
    OnOdds,
    gone_on,
    habit,
    likelier,
    reaches,
    remember,
)

SHARED_FROM = 3.0
"""From so many times the usual morning on, lateness says nothing about the pupil."""
CHANCE_MAX, CHANGED_MAX = 0.7, 0.93


ARRIVALS = np.dtype([*HABIT, ("odds", np.float32), ("rings", np.bool_)], align=True)


@inlined
def _likelier(late: bool, own: float, times: float, rule: Any) -> Any:
    if late and times >= SHARED_FROM:
        return 1.0
    return likelier(late, own, min(own * rule.times + rule.rise, CHANGED_MAX))


@inlined
def _comes_late(mine: Any, seen: Any, rule: Any) -> None:
    day, often = seen.day, seen.school.late
    if day.came:
        own = habit(mine, rule.prior_events, rule.prior_days, often.taken_for, CHANCE_MAX)
        mine.odds = gone_on(mine.odds, 1.0, _likelier(day.late, own, often.times, rule))
        mine.rings = reaches(mine.odds, rule, day.known)
    remember(mine, day.late, day.came)


@dataclass(frozen=True)
class Lateness(OnOdds):
    """Pupils late in the morning (L or U) much more often than they used to be.

    A morning when a bus is late makes many late, and says little about each.

    Args:
        prior_events: late mornings in `prior_days`, believed of a pupil of whom little is known:
            many, for some are late from the first day on.
        times: how many times as likely as before a pupil is late after a change, and
        rise: by how much more.
        needed: natural logarithm of the odds that ring.

    Source:
        Odds as for sudden change; Working together to improve school attendance (DfE, August 2024),
        chapter 8, codes L and U.
    """

    prior_events: float = 4.7
    prior_days: float = 12.4
    times: float = 1.83
    rise: float = 0.24
    needed: float = 6.0

    remembers = ARRIVALS
    look = staticmethod(_comes_late)
    kind = "lateness"
    severities = (Severity.notice,)
    version = "4"
    emerging = True
    rank = 3
    title = "Late much more often than this pupil used to be"
    source = (
        "Odds of a change against the pupil's own habit (Shiryaev 1963; Roberts, Technometrics 8, "
        "1966); Working together to improve school attendance (DfE, August 2024), codes L and U"
    )
    asks = (
        "Somebody asks what makes mornings hard: transport, caring for others, sleep, worry. It "
        "does not mean that the pupil does not care."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, rise looked for, and the odds needed (natural logarithm)."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the late mornings."""
        mornings = (record.ordinals % 2 == 0) & (IN_SCHOOL[record.codes] | LATE[record.codes])
        late, lately = LATE[record.codes] & mornings, recent_marks(record, 20)
        now, came = int((late & lately).sum()), int((mornings & lately).sum())
        earlier, days = int((late & ~lately).sum()), int((mornings & ~lately).sum())
        chosen = late & lately
        text = (
            f"Late on {out_of(now, came, 'mornings')} in the latest four weeks"
            f"{since_in_words(record, chosen)}. {before_in_words(earlier, days, 'on ')} "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = {"late": now, "mornings": came, "late_before": earlier, "mornings_before": days}
        likened = alike(
            record, lately & (record.ordinals % 2 == 0), LATE, "were late at least as often"
        )
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


RULES = (Lateness(),)
