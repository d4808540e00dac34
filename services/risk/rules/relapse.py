"""Pupils who came back, from a suspension or a long absence, and are away again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from libs.common.codes import POSSIBLE
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, Severity
from services.risk.pupil_days import HARD, IN_SCHOOL, SOFT, SUSPENDED, Rows
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    codes_in_words,
    figures,
    in_words,
    out_of,
    sessions,
    since_in_words,
    weighed,
)
from services.risk.rules.odds import OnOdds, gone_on, reaches
from services.risk.rules.sudden_change import likelier_begun

LONG_AGO = 10_000


RETURN = np.dtype(
    [
        # School days of absence up to now without a day in school.
        ("run", np.int16),
        # School days since the pupil came back; `LONG_AGO` when nothing is watched.
        ("days_back", np.int16),
        # Suspended on the latest days, and not yet back.
        ("suspended", np.bool_),
        ("rings", np.bool_),
        ("odds", np.float32),
    ],
    align=True,
)


@inlined
def _likelier(day: Any, rule: Any) -> Any:
    if day.free and not (day.left or (day.begins and day.shared)):
        return likelier_begun(day, rule.rise_hard, rule.rise_soft)
    return 1.0


@inlined
def _is_away_again(mine: Any, seen: Any, rule: Any) -> None:
    day = seen.day
    mine.suspended |= day.suspended
    in_school = day.came and not day.absent
    back = in_school and (mine.suspended or mine.run >= rule.long_days)
    mine.days_back = 0 if back else min(mine.days_back + 1, LONG_AGO)
    mine.run = 0 if in_school else min(mine.run + day.absent, LONG_AGO)
    mine.suspended &= not in_school
    often = rule.often if mine.days_back <= rule.watched_days else 0.0
    if mine.odds == 0.0 and often == 0.0:
        return  # as nearly always: there are no odds, and nothing makes any
    mine.odds = gone_on(mine.odds, often, _likelier(day, rule))
    mine.rings = reaches(mine.odds, rule, day.known) and not day.medical


@dataclass(frozen=True)
class Relapse(OnOdds):
    """Pupils away again and again within weeks of a suspension or of a long absence.

    More often, too, than was their habit: some are suspended who are often away in any case. What
    makes it a rule beside sudden change: so soon after a return, a change is likelier to begin.

    Args:
        long_days: school days of absence that make it long.
        watched_days: school days after the return on which a change may begin.
        often: how often one begins on each of them, beside 1 for other pupils and days.
        rise_hard: by how much likelier hard absence begins each day after it,
        rise_soft: and soft.
        needed: natural logarithm of the odds that ring.

    Source:
        Suspension and permanent exclusion guidance (DfE, 2024): a strategy for reintegration, and
        its review. Working together to improve school attendance (August 2024): support on return
        from long absence. Figures are ours.
    """

    long_days: int = 10
    watched_days: int = 25
    often: float = 2.0
    rise_hard: float = 0.18
    rise_soft: float = 0.066
    needed: float = 3.9

    limits = (("rise_hard", 0.001, 0.6), ("rise_soft", 0.001, 0.3))
    remembers = RETURN
    look = staticmethod(_is_away_again)
    kind = "relapse"
    severities = (Severity.warning,)
    version = "4"
    emerging = True
    rank = 3
    title = "Away again after coming back"
    source = (
        "Suspension and permanent exclusion (DfE, 2024): reintegration; Working together to "
        "improve school attendance (DfE, August 2024)"
    )
    asks = (
        "The school looks at the plan for the pupil's return with them: what was agreed, and what "
        "has not worked. It does not mean that the return has failed."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Days of a long absence, days watched after it, rises looked for, and the odds needed."""
        return asdict(self)

    def start(self, pupils: int) -> Rows:
        """Return nobody watched."""
        nobody = super().start(pupils)
        nobody["days_back"] = LONG_AGO
        return nobody

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest return, from what, and the absences since beside those before."""
        gone, back, why = self._return_of(record)
        absent, possible = weighed(record), POSSIBLE[record.codes]
        after, earlier = record.ordinals >= back, record.ordinals < gone
        chosen = absent & after & (back > 0)
        now, of = int(chosen.sum()), int((possible & after).sum())
        missed, before = int((absent & earlier).sum()), int((possible & earlier).sum())
        came = f"Came back on {in_words(back)} from {why}. Since then" if back else "Lately"
        text = (
            f"{came}, absent in {out_of(now, of, 'sessions')}{since_in_words(record, chosen)}. "
            f"{before_in_words(missed, before, 'in ')} "
            f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
        )
        facts = figures(missed=now, of=of, missed_before=missed, of_before=before)
        likened = alike(record, after, HARD | SOFT, "missed at least as many of these sessions")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)

    def _return_of(self, record: PupilRecord) -> tuple[int, int, str]:
        """Return the first session away, that of the latest return, and from what; 0: none."""
        absent, in_school = weighed(record), IN_SCHOOL[record.codes]
        found, since, run, suspended = (0, 0, ""), 0, 0, False
        for number in np.unique(record.ordinals // 2).tolist():
            day = record.ordinals // 2 == number
            came = bool(in_school[day][:1].any()) and not absent[day].any()
            suspended |= bool((record.codes[day] == SUSPENDED).any())
            if came and (suspended or run >= self.long_days):
                why = "a suspension" if suspended else f"an absence of {run} school days"
                found = (since, number * 2, why)
            if came:
                since, run, suspended = 0, 0, False
            elif suspended or absent[day].any():
                since, run = since or number * 2, run + int(absent[day].any())
        return found


RULES = (Relapse(),)
