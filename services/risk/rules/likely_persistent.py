"""Pupils who will probably end the year persistently absent, while that can still be prevented."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import erfc, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from libs.common.codes import ABSENT, POSSIBLE
from libs.common.school_day import academic_year_of, day_of
from services.risk.compiled import inlined
from services.risk.fold import Finding, PupilRecord, PupilRule, Severity, as_record
from services.risk.pupil_days import HARD, SOFT, Rows
from services.risk.rules.evidence import (
    alike,
    before_in_words,
    figures,
    out_of,
    recent_marks,
    sessions,
    since_in_words,
)
from services.risk.rules.rates import former_schools
from services.risk.signals import year_anchor

ONE = np.float32(1)
SESSIONS_A_YEAR = 380
PERSISTENT = 0.1
LIMIT, ZERO, HALF = np.float32(PERSISTENT), np.float32(0), np.float32(0.5)


OUTLOOK = np.dtype(
    [
        # Sessions missed that were one with the school's.
        ("shared", np.float32),
        # Missed until the day before.
        ("missed_before", np.float32),
        # Days that counted, and those that foretell absence; half a day is half a one.
        ("days", np.float32),
        ("foretelling", np.float32),
        # The same, fading: a day counts half after five weeks.
        ("days_lately", np.float32),
        ("foretelling_lately", np.float32),
        ("rings", np.bool_),
    ],
    align=True,
)


@inlined
def _is_likely(pupil: Any, had: np.float32, gone: np.float32, rule: Any) -> Any:
    """Whether the recent weeks, much worse than those before, lead to 10 % or more."""
    days_before = pupil.days - pupil.days_lately
    now = _rate(pupil.foretelling_lately, pupil.days_lately, rule)
    before = _rate(pupil.foretelling - pupil.foretelling_lately, days_before, rule)
    if now < np.float32(rule.rise_min) * before:
        return False
    rate = min(now * np.float32(rule.goes_on), ONE)
    left = max(np.float32(SESSIONS_A_YEAR) - had, ZERO)
    need = LIMIT * (had + left) - (gone - pupil.shared)  # until 10 %
    variance = left * rate * (ONE - rate) * np.float32(rule.spread) + ONE
    return left * rate - need >= np.float32(rule.deviations) * np.sqrt(variance)


@inlined
def _rate(foretelling: np.float32, days: np.float32, rule: Any) -> np.float32:
    weight = np.float32(rule.prior_days)
    return (foretelling + np.float32(rule.prior_rate) * weight) / (days + weight)


@inlined
def _begin_year(mine: Any) -> None:
    mine.shared, mine.missed_before, mine.days, mine.foretelling = ZERO, ZERO, ZERO, ZERO
    mine.days_lately, mine.foretelling_lately = ZERO, ZERO


@inlined
def _looks_ahead(mine: Any, seen: Any, rule: Any) -> None:
    day, tally = seen.day, seen.tally
    if seen.school.new_year:
        _begin_year(mine)
    fading, gone = np.float32(rule.fading), np.float32(tally.missed)
    foretells = np.float32((day.hard or day.begins) and not day.shared)
    foretells *= HALF * (gone - mine.missed_before)
    mine.missed_before = gone
    counted = np.float32(day.free or day.goes_on)
    mine.shared += np.float32(2) * np.float32(day.shared)
    mine.days += counted
    mine.foretelling += foretells
    mine.days_lately = mine.days_lately * fading + counted
    mine.foretelling_lately = mine.foretelling_lately * fading + foretells
    if not (day.absent or mine.rings):
        return  # as nearly always: a day in school makes nothing likelier
    had, gone = np.float32(tally.possible_in_all), np.float32(tally.missed_in_all)
    long_enough = tally.possible >= rule.possible_min
    below = gone < LIMIT * had
    mine.rings = long_enough and below and not day.medical and _is_likely(mine, had, gone, rule)


@dataclass(frozen=True)
class LikelyPersistent(PupilRule):
    """Pupils below 10 % whose recent absence, if it goes on, leads above it by the year's end.

    The chance is that of a normal approximation to a beta-binomial count of the sessions to come:
    absence comes in spells, so its variance is several times a binomial's. An illness that goes on
    for days foretells no more than one of a day, and one in a wave nothing. Who has missed much
    since September is not news; the recent rate must be well above the earlier one.

    Source:
        DfE, Pupil absence statistics: methodology (10 % of own possible sessions). That recent
        absence foretells the year's: FFT Education Datalab 2025. Figures are ours.
    """

    chance_min: float = 0.8
    rise_min: float = 2.5
    possible_min: int = 38
    fading: float = 0.978
    prior_rate: float = 0.0342
    prior_days: float = 10.0
    goes_on: float = 1.27
    spread: float = 3.96

    limits = (("chance_min", 0.01, 0.99), ("fading", 0.5, 1), ("prior_rate", 0.0001, 0.5))
    each_day = True
    remembers = OUTLOOK
    look = staticmethod(_looks_ahead)
    kind = "likely-persistent"
    severities = (Severity.notice,)
    version = "6"
    emerging = True
    rank = 6
    title = "Likely to be persistently absent by the end of the year"
    source = (
        "DfE, Pupil absence statistics: methodology; FFT Education Datalab on early absence (2025)"
    )
    asks = (
        "School and family look together, now, at what stands in the way: there is time to stay "
        "below 10 %. It is a forecast from recent weeks, not a finding."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Chance and rise from which it rings, fading, prior, and spread over a binomial."""
        return asdict(self)

    @cached_property
    def figures(self) -> Rows:
        """With the normal deviate of the chance."""
        deviations = NormalDist().inv_cdf(self.chance_min)
        return as_record({**self.parameters, "deviations": deviations})

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the year so far, the recent weeks, and what each leads to."""
        year = record.ordinals >= year_anchor(_year_of(record))
        absent, possible = ABSENT[record.codes] & year, POSSIBLE[record.codes] & year
        lately = recent_marks(record, 25)
        had, gone = record.brought_in(_year_of(record))
        missed, held = gone + int(absent.sum()), had + int(possible.sum())
        now, of = int((absent & lately).sum()), int((possible & lately).sum())
        left = max(0, SESSIONS_A_YEAR - held)
        rate = min(1.0, self._rate_lately(record) * self.goes_on)
        ahead, deviation = left * rate, sqrt(left * rate * (1 - rate) * self.spread + 1)
        low, high = (missed + ahead + sign * 1.28 * deviation for sign in (-1, 1))
        all_of = max(1, held + left)
        need = PERSISTENT * all_of - missed
        chance = 0.5 * erfc((need - ahead) / deviation / sqrt(2))
        earlier, before = missed - now, held - of
        text = (
            f"Missed {out_of(missed, held, 'sessions')} this year.{former_schools(had, gone)} In "
            f"the latest five weeks, {out_of(now, of)}"
            f"{since_in_words(record, absent & lately)}. "
            f"{before_in_words(earlier, before, '')} If the recent weeks go on, the year "
            f"ends with {100 * max(0, low) / all_of:.0f} to {100 * min(all_of, high) / all_of:.0f} "
            f"% missed (four times in five); the chance of 10 % or more is {100 * chance:.0f} %."
        )
        facts = figures(missed=missed, of=held, lately=now, of_lately=of, chance=round(chance, 2))
        likened = alike(record, possible & lately, ABSENT, "missed at least as many lately")
        return Finding(text, {**facts, "sessions": sessions(record, absent & lately)}, likened)

    def _rate_lately(self, record: PupilRecord) -> float:
        """Return what the recent days foretell, as the fold has it, but for mass absence."""
        days, at = np.unique(record.school_days, return_inverse=True)
        codes = record.codes
        missed = np.bincount(at, ABSENT[codes], len(days)) / 2
        counted = np.bincount(at, POSSIBLE[codes], len(days)) > 0
        hard, away = (np.bincount(at, m[codes], len(days)) > 0 for m in (HARD, HARD | SOFT))
        days, missed, hard, away = days[counted], missed[counted], hard[counted], away[counted]
        begins = away & ~np.concatenate([[False], away[:-1]])
        fading = self.fading ** (np.arange(len(days))[::-1])
        weight = self.prior_days
        foretelling = float((fading * missed * (hard | begins)).sum()) + self.prior_rate * weight
        return foretelling / (float(fading.sum()) + weight)


def _year_of(record: PupilRecord) -> int:
    return academic_year_of(day_of(int(record.ordinals[-1]))) if len(record.ordinals) else 1


RULES = (LikelyPersistent(),)
