"""Pupils who will probably end the year persistently absent, while that can still be prevented."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import erfc, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, POSSIBLE
from libs.common.school_day import academic_year_of, day_of
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
from services.risk.rules.cusum import Floats
from services.risk.rules.evidence import figures, recent_marks, sessions
from services.risk.rules.rates import former_schools, year_anchor

SESSIONS_A_YEAR = 380
PERSISTENT = 0.1


class Outlook(NamedTuple):
    """This academic year, each of shape (P,) but the year and the rung."""

    academic_year: int
    possible: Floats
    missed: Floats
    shared: Floats
    """Sessions; of the missed, those that were one with the school's."""
    days: Floats
    """Days that counted, and those that foretell absence."""
    foretelling: Floats
    days_lately: Floats
    """The same, fading: a day counts half after five weeks."""
    foretelling_lately: Floats
    rung: Signals


@dataclass(frozen=True)
class LikelyPersistent:
    """Pupils below 10 % whose recent absence, if it goes on, leads above it by the year's end.

    The chance is that of a normal approximation to a beta-binomial count of the sessions to come:
    absence comes in spells, so its variance is several times a binomial's. An illness that goes on
    for days foretells no more than one of a day, and one in a wave nothing. Who has missed much
    since September is not news; the recent rate must be well above the earlier one.

    Source:
        DfE, Pupil absence statistics: methodology (10 % of own possible sessions). That recent
        absence foretells the year's: FFT Education Datalab 2025. Figures are ours.
    """

    chance_min: float = 0.764
    rise_min: float = 2.77
    possible_min: int = 38
    fading: float = 0.978
    prior_rate: float = 0.0342
    prior_days: float = 10.0
    goes_on: float = 1.27
    spread: float = 3.96

    limits = (("chance_min", 0.01, 0.99), ("fading", 0.5, 1), ("prior_rate", 0.0001, 0.5))
    kind = "likely-persistent"
    version = "2"
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

    def start(self, pupils: int) -> Outlook:
        """Return a year without sessions."""
        none = np.zeros(pupils, np.float32)
        return Outlook(0, none, none, none, none, none, none, none, NOTHING)

    def step(self, state: Outlook, column: Column) -> tuple[Outlook, Signals]:
        """Count a session; look ahead at the end of a day."""
        if state.academic_year != column.academic_year:
            state = self.start(len(column.codes))._replace(academic_year=column.academic_year)
        after = state._replace(
            possible=state.possible + column.possible, missed=state.missed + column.absent
        )
        day = column.day
        if day is None:
            return after, after.rung
        fading = np.float32(self.fading)
        foretells = (day.hard | day.begins) & ~day.shared
        counted = day.free | day.goes_on
        after = after._replace(
            shared=state.shared + day.shared.astype(np.float32) * np.float32(2),
            days=state.days + counted,
            foretelling=state.foretelling + foretells,
            days_lately=state.days_lately * fading + counted,
            foretelling_lately=state.foretelling_lately * fading + foretells,
        )
        rings = self._rings(after, column.brought) & ~day.medical
        rung = signals(rings, year_anchor(column.academic_year), Severity.notice)
        return after._replace(rung=rung), rung

    def _rings(self, state: Outlook, brought: Ints | None) -> Bools:
        had, gone = (
            (state.possible, state.missed)
            if brought is None
            else (
                state.possible + brought[0].astype(np.float32),
                state.missed + brought[1].astype(np.float32),
            )
        )
        now = self._rate(state.foretelling_lately, state.days_lately)
        earlier = self._rate(
            state.foretelling - state.foretelling_lately, state.days - state.days_lately
        )
        rate = np.minimum(now * np.float32(self.goes_on), np.float32(1))
        left = np.maximum(np.float32(SESSIONS_A_YEAR) - had, np.float32(0))
        total = had + left
        need = np.float32(PERSISTENT) * total - (gone - state.shared)  # until 10 %
        variance = left * rate * (np.float32(1) - rate) * np.float32(self.spread) + np.float32(1)
        likely = left * rate - need >= np.float32(_deviations(self.chance_min)) * np.sqrt(variance)
        rises = now >= np.float32(self.rise_min) * earlier
        below = gone < np.float32(PERSISTENT) * had
        held = state.possible >= np.float32(self.possible_min)
        return np.asarray(likely & rises & below & held)

    def _rate(self, foretelling: Floats, days: Floats) -> Floats:
        weight = np.float32(self.prior_days)
        return (foretelling + np.float32(self.prior_rate) * weight) / (days + weight)

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the year so far, the recent weeks, and what each leads to."""
        year = record.ordinals >= year_anchor(_year_of(record))
        absent, possible = ABSENT[record.codes] & year, POSSIBLE[record.codes] & year
        lately = recent_marks(record, 25)
        had, gone = record.brought_in(_year_of(record))
        missed, held = gone + int(absent.sum()), had + int(possible.sum())
        now, of = int((absent & lately).sum()), int((possible & lately).sum())
        left = max(0, SESSIONS_A_YEAR - held)
        rate = (now + self.prior_rate * 2 * self.prior_days) / (of + 2 * self.prior_days)
        ahead, deviation = left * rate, sqrt(left * rate * (1 - rate) * self.spread + 1)
        low, high = (missed + ahead + sign * 1.28 * deviation for sign in (-1, 1))
        all_of = max(1, held + left)
        need = PERSISTENT * all_of - missed
        chance = 0.5 * erfc((need - ahead) / deviation / sqrt(2))
        text = (
            f"Missed {missed} of {held} sessions this year, {now} of the last {of}."
            f"{former_schools(had, gone)} If the recent "
            f"weeks go on, the year ends at {100 * max(0, low) / all_of:.0f} to "
            f"{100 * min(all_of, high) / all_of:.0f} % (four times in five), and at 10 % or more "
            f"with a chance of {100 * chance:.0f} %. Four weeks of steady attendance clear this."
        )
        facts = figures(missed=missed, of=held, lately=now, of_lately=of, chance=round(chance, 2))
        return Finding(text, {**facts, "sessions": sessions(record, absent & lately)})


def _year_of(record: PupilRecord) -> int:
    return academic_year_of(day_of(int(record.ordinals[-1]))) if len(record.ordinals) else 1


def _deviations(chance: float) -> float:
    return NormalDist().inv_cdf(chance)


RULES = (LikelyPersistent(),)
