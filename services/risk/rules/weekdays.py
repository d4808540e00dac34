"""Pupils who keep missing the same weekday."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, POSSIBLE
from services.risk.compiled import kernel
from services.risk.days import PUPIL_DAY
from services.risk.fold import (
    NOTHING,
    Column,
    Finding,
    PupilRecord,
    Severity,
    Signals,
    signals,
)
from services.risk.rules.cusum import (
    Rows,
    above,
    added,
    as_record,
    between,
    likelier,
    own_rate,
    record_of,
    thousandths,
)
from services.risk.rules.evidence import recent_marks, sessions

NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


WEEK = np.dtype(
    [
        # Days on which an absence began, and on which one could have.
        ("began", np.float32),
        ("free", np.float32),
        # For each weekday, in thousandths.
        ("evidence", np.int32, 5),
        # What the latest day added for an absence that began on it.
        ("latest", np.int32),
        ("rings", np.bool_),
    ],
    align=True,
)


class Week(NamedTuple):
    """State."""

    pupils: Rows
    """Of `WEEK`, shape (P,)."""
    weekday: int
    """The latest day's."""
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
        return Week(np.zeros(pupils, WEEK), 0, NOTHING)

    def step(self, state: Week, column: Column) -> tuple[Week, Signals]:
        """Weigh a complete day for its weekday; ring from the bar upwards."""
        day = column.day
        if day is None or day.weekday > 4:
            return state, state.rung
        days = (state.weekday, day.weekday)
        pupils, changed = _step(state.pupils, day.pupils, self._figures, *days)
        rung = signals(pupils["rings"], 0, Severity.notice) if changed else state.rung
        return Week(pupils, day.weekday, rung), rung

    @cached_property
    def _figures(self) -> Rows:
        return as_record(asdict(self))

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


FIGURES = record_of(WeekdayPattern().parameters)


@kernel(WEEK, PUPIL_DAY, FIGURES, int, int)
def _step(before: Rows, today: Rows, figures: Rows, latest: int, weekday: int) -> tuple[Rows, bool]:
    """Weigh a day; `latest` is the weekday of the one before it."""
    after, rule, changed = before.copy(), figures[0], False
    most = int(1300 * rule.needed)
    for p in range(len(today)):
        day, pupil = today[p], after[p]
        if day.absent:
            back = int(pupil.latest * rule.taken_back)
            pupil.evidence[latest] = between(pupil.evidence[latest] - back, most)
        pupil.latest = 0
        # A day in the middle of an absence says nothing either way.
        if (day.begins and not day.shared) or (day.free and not day.absent):
            own = own_rate(pupil.began, pupil.free, rule.prior_events, rule.prior_days, day.unusual)
            habit = min(own * np.float32(1.2) + np.float32(rule.rise), np.float32(0.9))
            ratio = likelier(day.begins, own, habit)
            if day.begins:
                pupil.latest = thousandths(ratio)
            pupil.evidence[weekday] = added(pupil.evidence[weekday], ratio, most)
        pupil.rings = above(pupil.evidence.max(), day.known, rule.needed) and not day.medical
        pupil.began += np.float32(day.begins)
        pupil.free += np.float32(day.free)
        changed |= pupil.rings != before[p].rings
    return after, changed


RULES = (WeekdayPattern(),)
