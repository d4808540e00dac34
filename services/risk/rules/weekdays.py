"""Pupils who keep missing the same weekday."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    Ints,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.cusum import Floats, above, added, own_rate, thousandths
from services.risk.rules.evidence import recent_marks, sessions

NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class Week(NamedTuple):
    """Shapes (P,) and (5, P)."""

    began: Floats
    """Days on which an absence began."""
    free: Floats
    """Days on which one could have begun."""
    evidence: NDArray[np.int32]
    """For each weekday, in thousandths, shape (5, P)."""
    latest: Ints
    """What the latest day added for absences that began on it."""
    weekday: int
    rung: Signals


@dataclass(frozen=True)
class WeekdayPattern:
    """Pupils whose absences begin, and end, on the same weekday again and again.

    An absence that goes on into the next day is an illness more likely than a habit: most of what
    it added is taken back.

    Source:
        Cumulative sum as for sudden change, one for each weekday. That absence has a weekly shape:
        FFT Education Datalab 2022.
    """

    prior_events: float = 0.48
    prior_days: float = 11.2
    rise: float = 0.689
    taken_back: float = 0.715
    needed: float = 8.28

    kind = "weekday-pattern"
    version = "2"
    emerging = True
    rank = 2
    title = "Away on the same weekday again and again"
    source = (
        "Cumulative sum for each weekday against the pupil's own habit (Page, Biometrika 41, "
        "1954); FFT Education Datalab, absence by day of the week (2022)"
    )
    asks = (
        "Somebody asks what is different about that day: a lesson, a journey, a visit, work, "
        "care for someone. It does not mean that the reasons given are untrue."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Prior, rise looked for, and the evidence needed (natural logarithms)."""
        return asdict(self)

    def start(self, pupils: int) -> Week:
        """Return no history and no evidence."""
        none, zero = np.zeros(pupils, np.float32), np.zeros(pupils, np.int32)
        return Week(none, none, np.zeros((5, pupils), np.int32), zero, 0, NOTHING)

    def step(self, state: Week, column: Column) -> tuple[Week, Signals]:
        """Weigh a complete day for its weekday; ring from the bar upwards."""
        day = column.day
        if day is None or day.weekday > 4:
            return state, state.rung
        evidence, most = state.evidence.copy(), int(1300 * self.needed)
        back = np.where(day.absent, state.latest * self.taken_back, 0).astype(np.int32)
        evidence[state.weekday] = added(evidence[state.weekday], -back, most)
        prior = (self.prior_events, self.prior_days)
        before = own_rate(state.began, state.free, prior, day.unusual)
        after = np.minimum(before * np.float32(1.2) + np.float32(self.rise), np.float32(0.9))
        one = np.float32(1)
        gains = thousandths(np.where(day.begins, after / before, (one - after) / (one - before)))
        # A day in the middle of an absence says nothing either way.
        says = (day.begins & ~day.shared) | (day.free & ~day.absent)
        gains = np.where(says, gains, 0).astype(np.int32)
        evidence[day.weekday] = added(evidence[day.weekday], gains, most)
        rings = above(evidence.max(axis=0), day.known, self.needed) & ~day.medical
        rung = signals(rings, 0, Severity.notice)
        latest = np.where(day.begins, gains, 0).astype(np.int32)
        counts = (state.began + day.begins, state.free + day.free)
        return Week(*counts, evidence, latest, day.weekday, rung), rung

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Tell the weekday most often missed lately."""
        lately = recent_marks(record, 50)
        weekdays = (record.ordinals // 2 - 1) % 7
        missed = ABSENT[record.codes] & lately
        days = [len(np.unique(record.ordinals[missed & (weekdays == n)] // 2)) for n in range(5)]
        most = int(np.argmax(days))
        chosen = missed & (weekdays == most)
        held = POSSIBLE[record.codes] & lately & (weekdays == most)
        of = len(np.unique(record.ordinals[held] // 2))
        others = sum(days) - days[most]
        text = (
            f"Absent on {days[most]} of the last {of} {NAMES[most]}; on all other weekdays "
            f"together {others} times in the same weeks. Four weeks without this clear it."
        )
        facts = {"weekday": NAMES[most][:-1], "days": days[most], "of": of, "other_days": others}
        return Finding(text, {**facts, "sessions": sessions(record, chosen)})


RULES = (WeekdayPattern(),)
