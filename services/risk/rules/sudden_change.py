"""A pupil is away much more than they used to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, Severity
from services.risk.rules.evidence import change_in_words
from services.risk.rules.odds import OnOdds, gone_on, reaches

CHANCE_MAX, BOTH_MAX = 0.7, 0.93
"""After a change an absence is never surer than this."""
RISES = 4


CHANGE = np.dtype(
    [
        # For each size of rise.
        ("odds", np.float32, RISES),
        ("rings", np.bool_),
    ],
    align=True,
)


@inlined
def _rises(rule: Any) -> Any:
    """Return each change's rise of hard and of soft absence, and how often it begins."""
    return (
        (rule.slight_hard, rule.slight_soft, rule.slight_often),
        (rule.middling_hard, rule.middling_soft, rule.middling_often),
        (rule.steep_hard, rule.steep_soft, rule.steep_often),
        (rule.unexplained_hard, 0.0, rule.unexplained_often),
    )


@inlined
def likelier_begun(day: Any, more_hard: float, more_soft: float) -> Any:
    """Return how much likelier it is after a rise by these that absence began, or did not."""
    hard = min(day.hard_chance + more_hard, CHANCE_MAX)
    soft = min(day.soft_chance + more_soft, CHANCE_MAX)
    # Multiplied by a reciprocal: for all rises that is one division, not one for each.
    if day.begins:
        return hard * (1 / day.hard_chance) if day.hard else soft * (1 / day.soft_chance)
    usual = 1 - min(day.hard_chance + day.soft_chance, BOTH_MAX)
    return (1 - min(hard + soft, BOTH_MAX)) * (1 / usual)


@inlined
def _likelier(day: Any, rise: Any, again: Any) -> Any:
    if day.left or (day.begins and day.shared):  # that is another rule's, or the school's
        return 1.0
    if day.free:
        return likelier_begun(day, rise[0], rise[1])
    if day.goes_on and rise[1] > 0:
        return (again[0] if day.hard else again[1]) if day.absent else again[2]
    return 1.0


@inlined
def _has_changed(mine: Any, seen: Any, rule: Any) -> None:
    day = seen.day
    if not (day.free or day.goes_on):
        return
    total, rises, again = 0.0, _rises(rule), (rule.again_hard, rule.again_soft, rule.ended)
    # All ratios before any odds are written: what is written might be part of the day, for all that
    # the compiler knows, and it would read the day anew.
    ratios = (
        _likelier(day, rises[0], again),
        _likelier(day, rises[1], again),
        _likelier(day, rises[2], again),
        _likelier(day, rises[3], again),
    )
    for n in range(RISES):
        mine.odds[n] = gone_on(mine.odds[n], rises[n][2], ratios[n])
        total += mine.odds[n]
    mine.rings = reaches(total, rule, day.known) and not day.medical


@dataclass(frozen=True)
class SuddenChange(OnOdds):
    """Pupils for whom absences begin more often than their habit and the school's day account for.

    The odds of four changes are added up: a slight, a middling and a steep rise, and one of absence
    without a reason alone. An absence that goes on adds little: an illness comes in spells. A day
    on which such absence begins in the whole school, or the year group, says less.

    Args:
        slight_hard: by how much likelier hard absence (O) begins each day after a slight rise.
        slight_soft: the same of illness, appointments and what nobody has explained.
        slight_often: how often such a change begins, beside others; the same for the other three.
        again_hard: how much likelier hard absence goes on after a change than as usual.
        again_soft: the same of soft absence.
        ended: how much likelier an absence ends after a change.
        needed: natural logarithm of the odds that ring.

    Source:
        Shiryaev 1963, Roberts 1966 (`services.risk.rules.odds`). That change and spells say more
        than the year's percentage: FFT Education Datalab 2023. Figures: chosen on simulated years,
        see docs/detection.md.
    """

    slight_hard: float = 0.105
    slight_soft: float = 0.005
    slight_often: float = 0.56
    middling_hard: float = 0.195
    middling_soft: float = 0.075
    middling_often: float = 0.51
    steep_hard: float = 0.37
    steep_soft: float = 0.02
    steep_often: float = 0.36
    unexplained_hard: float = 0.105
    unexplained_often: float = 1.8
    again_hard: float = 1.2
    again_soft: float = 0.79
    ended: float = 0.92
    needed: float = 6.6

    limits = tuple(
        (f"{size}_{code}", 0.001, 0.9)
        for size in ("slight", "middling", "steep", "unexplained")
        for code in ("hard", "soft")
        if (size, code) != ("unexplained", "soft")
    )
    remembers = CHANGE
    look = staticmethod(_has_changed)
    kind = "sudden-change"
    severities = (Severity.notice,)
    version = "4"
    emerging = True
    rank = 5
    title = "Away much more than this pupil used to be"
    source = (
        "Odds of a change against the pupil's own habit (Shiryaev 1963; Roberts, Technometrics 8, "
        "1966); Keeping children safe in education: repeated absence is a warning sign"
    )
    asks = (
        "Somebody who knows the pupil asks what has changed, early and kindly. It compares the "
        "pupil with themselves; it does not mean that anything is wrong at home."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Rises looked for, and the odds needed (natural logarithm)."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the latest weeks beside what was before."""
        return change_in_words(record)


RULES = (SuddenChange(),)
