"""An academic year's school days: six half-terms, bank holidays, INSET days, 190 days open."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np

SCHOOL_DAYS = 190
INSET_DAYS = 5
"""Days that the teachers are in and the pupils are not."""


class Term(NamedTuple):
    """A half-term, both ends included."""

    starts_on: date
    ends_on: date


class Closure(NamedTuple):
    """A weekday in term on which the school is shut, or one session ("am", "pm") of it."""

    day: date
    reason: str
    session: str | None = None


@dataclass(frozen=True)
class Calendar:
    """When one school is open in one academic year."""

    terms: tuple[Term, ...]
    closed: tuple[Closure, ...]

    @cached_property
    def days(self) -> tuple[date, ...]:
        """School days, oldest first."""
        shut = {c.day for c in self.closed if c.session is None}
        return tuple(day for day in _weekdays(self.terms) if day not in shut)

    @cached_property
    def shut_sessions(self) -> frozenset[tuple[date, str]]:
        """Single sessions without a register, as (day, "am" or "pm")."""
        return frozenset((c.day, c.session) for c in self.closed if c.session)

    def as_json(self) -> dict[str, list[dict[str, str]]]:
        """Return the calendar in the form of ingest's contract."""
        terms = [{"starts_on": str(t.starts_on), "ends_on": str(t.ends_on)} for t in self.terms]
        closed = [
            {"date": str(c.day)}
            | ({"session": c.session} if c.session else {})
            | {"reason": c.reason}
            for c in self.closed
        ]
        return {"terms": terms, "closed": closed}


def easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian computus)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    el = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * el) // 451
    month, day = divmod(h + el - 7 * m + 114, 31)
    return date(year, month, day + 1)


def calendar_of(academic_year: int, rng: np.random.Generator) -> Calendar:
    """Return a school's calendar: the authority's terms, INSET days of its own.

    One school in three also loses an afternoon to a failed boiler.
    """
    terms = terms_of(academic_year)
    may_day = _monday_from(date(academic_year + 1, 5, 1))
    bank = [Closure(may_day, "bank holiday")]
    firsts = [terms[0].starts_on, terms[2].starts_on]
    edges = [t.ends_on for t in terms[:5]] + [terms[1].starts_on, terms[3].starts_on]
    chosen = sorted(rng.permutation(len(edges))[: INSET_DAYS - 2].tolist())
    inset = [Closure(day, "INSET day") for day in [*firsts, *(edges[i] for i in chosen)]]
    winter = _monday_from(date(academic_year + 1, 1, 10)) + timedelta(int(rng.integers(0, 4)))
    boiler = [Closure(winter, "heating failed", "pm")] if rng.random() < 1 / 3 else []
    return Calendar(terms, tuple(sorted(bank + inset + boiler)))


def terms_of(academic_year: int) -> tuple[Term, ...]:
    """Return the six half-terms. The last ends when 190 days and 5 INSET days are full."""
    year = academic_year + 1
    autumn_half = _monday_from(date(academic_year, 10, 25))
    spring_half = _monday_from(date(year, 2, 12))
    summer_half = _monday_from(date(year, 5, 25))
    sunday = easter(year)
    early = sunday <= date(year, 4, 10)
    spring_end = sunday - timedelta(3 if early else 16)
    summer_start = sunday + timedelta(15 if early else 2)
    second = date(academic_year, 9, 2)
    first = _monday_from(second) if second.weekday() >= 5 else second
    christmas = date(academic_year, 12, 22)
    five = (
        Term(first, autumn_half - timedelta(3)),
        Term(autumn_half + timedelta(7), christmas - timedelta((christmas.weekday() - 4) % 7)),
        Term(_monday_from(date(year, 1, 3)), spring_half - timedelta(3)),
        Term(spring_half + timedelta(7), spring_end),
        Term(summer_start, summer_half - timedelta(3)),
    )
    back = summer_half + timedelta(7)
    wanted = SCHOOL_DAYS + INSET_DAYS + 1 - len(_weekdays(five))  # and one for May Day
    weeks, days = divmod(wanted - 1, 5)
    return (*five, Term(back, back + timedelta(7 * weeks + days)))


def _monday_from(day: date) -> date:
    return day + timedelta(-day.weekday() % 7)


def _weekdays(terms: tuple[Term, ...]) -> list[date]:
    return [
        day
        for term in terms
        for n in range((term.ends_on - term.starts_on).days + 1)
        if (day := term.starts_on + timedelta(n)).weekday() < 5
    ]
