"""Pupils who come in the morning and are gone in the afternoon."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, Severity
from services.risk.pupil_days import AFTERNOON, APPOINTMENT, IN_SCHOOL
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    codes_in_words,
    out_of,
    recent_marks,
    sessions,
    since_in_words,
    weighed,
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
"""From so many times the usual afternoon on, leaving says nothing about the pupil."""
CHANCE_MAX = 0.6


LEAVING = np.dtype([*HABIT, ("odds", np.float32), ("rings", np.bool_)], align=True)


@inlined
def _likelier(day: Any, own: float, times: float, rule: Any) -> Any:
    if day.left and (day.shared or times >= SHARED_FROM):
        return 1.0
    if day.left and day.goes_on:
        return rule.again
    return likelier(day.left, own, max(own, rule.chance))


@inlined
def _leaves(mine: Any, seen: Any, rule: Any) -> None:
    day, often = seen.day, seen.school.left
    if day.could_leave:
        own = habit(mine, rule.prior_events, rule.prior_days, often.taken_for, CHANCE_MAX)
        mine.odds = gone_on(mine.odds, 1.0, _likelier(day, own, often.times, rule))
        mine.rings = reaches(mine.odds, rule, day.known)
    remember(mine, day.left, day.could_leave)


@dataclass(frozen=True)
class LeavesAfterRegistration(OnOdds):
    """Pupils marked present in the morning and absent, without an appointment, in the afternoon.

    Args:
        prior_events: afternoons left in `prior_days`, believed of a pupil of whom little is known.
        chance: how likely a pupil with such a habit leaves, at the least.
        again: by what a second afternoon running multiplies the odds: an illness begins so too.
        needed: natural logarithm of the odds that ring.

    Source:
        Odds as for sudden change; Working together to improve school attendance (DfE, August 2024):
        registers are taken twice a day so that leaving is seen.
    """

    prior_events: float = 0.59
    prior_days: float = 122.0
    chance: float = 0.41
    again: float = 1.8
    needed: float = 6.5

    limits = (("chance", 0.05, 0.95),)
    remembers = LEAVING
    look = staticmethod(_leaves)
    kind = "leaves-after-registration"
    severities = (Severity.notice,)
    version = "5"
    emerging = True
    rank = 1
    title = "In school in the morning, gone in the afternoon"
    source = (
        "Odds of a change against the pupil's own habit (Shiryaev 1963; Roberts, Technometrics 8, "
        "1966); Working together to improve school attendance (DfE, August 2024)"
    )
    asks = (
        "The school finds out where the pupil is in the afternoons, and with whom. It does not "
        "mean that the pupil is to blame: leaving can be a sign of bullying or exploitation."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, the habit looked for, and the odds needed (natural logarithm)."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the afternoons."""
        afternoons = record.ordinals % 2 == AFTERNOON
        came = np.zeros(len(record.codes), np.bool_)
        same_day = record.ordinals[1:] // 2 == record.ordinals[:-1] // 2
        came[1:] = IN_SCHOOL[record.codes[:-1]] & same_day
        could = afternoons & came & POSSIBLE[record.codes]
        left = could & weighed(record) & (record.codes != APPOINTMENT) & ~_after_a_day_away(record)
        lately = recent_marks(record, 20)
        chosen = left & lately
        now, of = int(chosen.sum()), int((could & lately).sum())
        earlier, before = int((left & ~lately).sum()), int((could & ~lately).sum())
        text = (
            "In the latest four weeks, in school in the morning and absent in the afternoon "
            f"on {out_of(now, of, 'days')}{since_in_words(record, chosen)}. "
            f"{before_in_words(earlier, before, 'on ')} "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = {"afternoons_left": now, "of": of, "left_before": earlier, "of_before": before}
        likened = alike(record, lately & afternoons, ABSENT, "were absent in as many afternoons")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


def _after_a_day_away(record: PupilRecord) -> NDArray[np.bool_]:
    """Return which sessions follow a school day of the pupil's without any of it in school."""
    away, after, days = False, np.zeros(len(record.codes), np.bool_), record.ordinals // 2
    absent = weighed(record)
    for day in np.unique(days).tolist():
        that_day = days == day
        after[that_day] = away
        here = bool(IN_SCHOOL[record.codes[that_day]].any())
        away = not here and (away or bool(absent[that_day].any()))
    return after


RULES = (LeavesAfterRegistration(),)
