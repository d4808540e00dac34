"""Much illness: another conversation, another route."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from libs.common.codes import POSSIBLE, mask_of
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, PupilRule, Severity
from services.risk.rules.evidence import alike, recent_marks, sessions, since_in_words

MEDICAL = mask_of("IM")


ILLNESS = np.dtype([("times", np.int32), ("rings", np.bool_)], align=True)
"""How often it has rung for the pupil, and whether it does."""


@inlined
def _is_ill(mine: Any, seen: Any, rule: Any) -> None:
    day = seen.day
    begins = day.illness >= np.float32(rule.days_min) and day.medical and not mine.rings
    mine.rings = begins or (mine.rings and day.illness >= np.float32(rule.days_clear))
    mine.times += begins


@inlined
def _nth_time(mine: Any, year: int) -> Any:
    """Return a pupil's time in all: the n-th illness, whatever day it began."""
    return year + mine.times


@dataclass(frozen=True)
class HealthAbsence(PupilRule):
    """Pupils with much illness or many appointments lately, and little other absence.

    Days of illness are added up, each fading by 3 % a school day: a sum of eleven is thirteen days
    without a break, or a day in three for a term.

    Source:
        Supporting pupils at school with medical conditions (DfE, 2015); Arranging education for
        children who cannot attend school because of health needs (DfE, 2023). Figures are ours.
    """

    days_min: float = 11.0
    days_clear: float = 4.0

    each_day = True
    remembers = ILLNESS
    look = staticmethod(_is_ill)
    anchor = staticmethod(_nth_time)
    kind = "health-absence"
    clears = (
        "This clears after about seven school weeks with "
        "hardly any illness; later after a long one."
    )
    severities = (Severity.notice,)
    version = "2"
    emerging = False
    rank = 0
    title = "Much illness lately"
    source = (
        "Arranging education for children who cannot attend school because of health needs (DfE, "
        "December 2023); Supporting pupils at school with medical conditions (DfE, 2015)"
    )
    asks = (
        "The school asks how it can help with health and with learning meanwhile: a health plan, "
        "the school nurse, work sent home. It does not mean that the illness is doubted."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Faded days of illness at which it rings, and below which it clears."""
        return asdict(self)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the illness of the last term."""
        ill, possible = MEDICAL[record.codes], POSSIBLE[record.codes]
        lately = recent_marks(record, 60)
        chosen = ill & lately
        days, of = int(chosen.sum()) / 2, int((possible & lately).sum()) / 2
        earlier, before = int((ill & ~lately).sum()) / 2, int((possible & ~lately).sum()) / 2
        was = f" Before that, {earlier:g} of {before:g}." if before else ""
        text = (
            f"Ill or at appointments (codes I and M) for {days:g} of the last {of:g} school days"
            f"{since_in_words(record, chosen)}, with little other absence.{was} {self.clears}"
        )
        facts = {"days": days, "of": of, "days_before": earlier, "of_before": before}
        likened = alike(record, lately, MEDICAL, "had at least as much")
        return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


RULES = (HealthAbsence(),)
