"""A school's sessions in time: planned by its calendars, and numbered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.events import CalendarSet
from libs.common.school_day import Session, ordinal_of
from services.risk.fold import Ints


class Sessions(NamedTuple):
    """The school sessions of a book, oldest first. S sessions."""

    ordinals: NDArray[np.int64]
    school_days: Ints
    school_weeks: Ints

    def and_then(self, later: Sequence[int]) -> "Sessions":
        """Return these sessions and later ones, in order, without numbering all anew."""
        if not later:
            return self
        more = numbered(np.concatenate([self.ordinals[-1:], np.array(later, np.int64)]))
        return Sessions(
            np.concatenate([self.ordinals, more.ordinals[1:]]),
            np.concatenate([self.school_days, self.school_days[-1] + more.school_days[1:]]),
            np.concatenate([self.school_weeks, self.school_weeks[-1] + more.school_weeks[1:]]),
        )


def open_sessions(calendar: CalendarSet) -> list[int]:
    """Return the ordinals of an academic year's planned sessions, in order."""
    closed = set()
    for closure in calendar.closed:
        for half in Session if closure.session is None else (closure.session,):
            closed.add(ordinal_of(closure.date, half))
    ordinals = []
    for term in calendar.terms:
        for number in range((term.ends_on - term.starts_on).days + 1):
            day = term.starts_on + timedelta(days=number)
            if day.weekday() < 5:
                ordinals += [ordinal_of(day, Session.am), ordinal_of(day, Session.pm)]
    return sorted(set(ordinals) - closed)


def numbered(ordinals: NDArray[np.int64]) -> Sessions:
    """Number the days and weeks of these sessions, oldest first."""
    days = ordinals // 2
    # Day 1 of the proleptic calendar was a Monday.
    return Sessions(ordinals, _places(days), _places((days - 1) // 7))


def _places(ascending: NDArray[np.int64]) -> Ints:
    """Number equal values alike, from 0."""
    places = np.zeros(len(ascending), np.int32)
    np.cumsum(ascending[1:] != ascending[:-1], out=places[1:])
    return places
