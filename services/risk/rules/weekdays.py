"""Pupils who keep missing the same weekday."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import POSSIBLE
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, Severity
from services.risk.pupil_days import HARD, SOFT, Rows
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
from services.risk.rules.odds import OnOdds, gone_on, reaches
from services.risk.usual import WEEKEND

NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


UNREMARKABLE = 1.0
"""Odds below which an absence on the weekday is no more than any other."""


WEEK = np.dtype(
    [
        # For each weekday.
        ("odds", np.float32, WEEKEND),
        # What the latest day multiplied them by, if an absence began on it; else 1.
        ("latest", np.float32),
        # Absences that have begun on each weekday since it was last unremarkable.
        ("times", np.int16, WEEKEND),
        ("rings", np.bool_),
    ],
    align=True,
)


@inlined
def _likelier(day: Any, rule: Any) -> Any:
    if day.begins:
        if day.hard:
            return max(rule.chance * rule.hard, day.hard_chance) / day.hard_chance
        return max(rule.chance * (1 - rule.hard), day.soft_chance) / day.soft_chance
    return (1 - rule.chance) / (1 - min(day.hard_chance + day.soft_chance, rule.chance))


@inlined
def _is_a_habit(mine: Any, seen: Any, rule: Any) -> None:
    day, school = seen.day, seen.school
    weekday = school.weekday
    if weekday >= WEEKEND or not (day.free or day.goes_on):
        return
    if day.absent and day.goes_on and mine.latest > 1:
        mine.odds[school.weekday_before] /= mine.latest
        mine.times[school.weekday_before] -= 1
    mine.latest = 1.0
    # A day in the middle of an absence says nothing either way.
    if day.free and not (day.begins and day.shared):
        ratio = _likelier(day, rule)
        mine.odds[weekday] = gone_on(mine.odds[weekday], rule.often, ratio)
        if day.begins:
            mine.latest = ratio
            mine.times[weekday] += 1
        elif mine.odds[weekday] < UNREMARKABLE:
            mine.times[weekday] = 0
    if not (day.begins or mine.rings):
        return  # as nearly always: only an absence that begins makes a habit of it
    times, odds = 0, 0.0
    for n in range(WEEKEND):
        times, odds = max(times, mine.times[n]), odds + mine.odds[n]
    rings = times >= rule.times_min and reaches(odds, rule, day.known)
    mine.rings = rings and not day.medical


@dataclass(frozen=True)
class WeekdayPattern(OnOdds):
    """Pupils whose absences begin, and end, on the same weekday again and again.

    An absence that goes on into the next day is an illness more likely than a habit: what it added
    is taken back.

    Args:
        chance: that a pupil with such a habit is away on the day.
        hard: share of it that is hard absence (O).
        often: how often such a habit begins, beside other changes; one for each weekday.
        needed: natural logarithm of the odds that ring.
        times_min: and so many absences on the same weekday: nobody calls one a habit.

    Source:
        Odds as for sudden change, for each weekday. That absence has a weekly shape: FFT Education
        Datalab 2022.
    """

    chance: float = 0.78
    hard: float = 0.69
    often: float = 0.2
    needed: float = 5.5
    times_min: int = 2

    limits = (("chance", 0.05, 0.95), ("hard", 0.01, 0.99))
    remembers = WEEK
    look = staticmethod(_is_a_habit)
    kind = "weekday-pattern"
    severities = (Severity.notice,)
    version = "6"
    emerging = True
    rank = 2
    title = "Away on the same weekday again and again"
    source = (
        "Odds of a habit on each weekday against the pupil's own (Shiryaev 1963; Roberts, "
        "Technometrics 8, 1966); FFT Education Datalab, absence by day of the week (2022)"
    )
    asks = (
        "Somebody asks what is different about that day: a lesson, a journey, a visit, work, "
        "care for someone. It does not mean that the reasons given are untrue."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The habit looked for, and the odds needed (natural logarithm)."""
        return asdict(self)

    def start(self, pupils: int) -> Rows:
        """Return no odds."""
        none = super().start(pupils)
        none["latest"] = 1
        return none

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the weekday most often missed lately, the same weekday before, and the others."""
        lately, absent = recent_marks(record, 50), weighed(record)
        weekdays = (record.ordinals // 2 - 1) % 7
        days = [_days(record, absent & lately & (weekdays == n)) for n in range(WEEKEND)]
        most = int(np.argmax(days))
        that, possible = weekdays == most, POSSIBLE[record.codes]
        of, others = _days(record, possible & lately & that), sum(days) - days[most]
        others_of = _days(record, possible & lately & ~that)
        earlier = _days(record, absent & ~lately & that)
        before = _days(record, possible & ~lately & that)
        chosen = absent & lately & that
        text = (
            f"Absent on {days[most]} of the last {of} {NAMES[most]}"
            f"{since_in_words(record, chosen)}. "
            f"{before_in_words(earlier, before, 'on ')} In the latest weeks, also absent on "
            f"{out_of(others, others_of, 'other days')}. "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = {
            "weekday": NAMES[most][:-1], "days": days[most], "of": of, "other_days": others,
            "days_before": earlier, "of_before": before,
        }  # fmt: skip
        likened = alike(
            record, lately & that, HARD | SOFT, f"missed as many of these {NAMES[most]}"
        )
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


def _days(record: PupilRecord, chosen: NDArray[np.bool_]) -> int:
    return len(np.unique(record.ordinals[chosen] // 2))


RULES = (WeekdayPattern(),)
