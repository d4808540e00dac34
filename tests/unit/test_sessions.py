"""A book's sessions are numbered as they come; the numbers are those of numbering all at once."""

from datetime import date, timedelta

import numpy as np
import pytest

from libs.common.codes import NUMBERS
from libs.common.school_day import Session, ordinal_of
from services.risk.book import Book
from services.risk.sessions import numbered

MONDAY = date(2025, 9, 1)


def planned(first_day: int, days: int) -> list[int]:
    """Return the sessions of so many days, Saturdays and Sundays left out."""
    dates = (MONDAY + timedelta(n) for n in range(first_day, first_day + days))
    return [ordinal_of(day, half) for day in dates if day.weekday() < 5 for half in Session]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("calendars", [{}, {2025: planned(1, 80)}, {2024: planned(-90, 70)}])
def test_numbering_sessions_as_they_come_equals_numbering_them_at_once(
    calendars: dict[int, list[int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    book = Book("100000", [])
    book._open = calendars
    days = [int(n) for n in np.sort(rng.integers(0, 100, 120))]

    for place in range(len(days)):
        day = MONDAY + timedelta(days[place if rng.random() < 0.9 else rng.integers(len(days))])
        half = Session.am if rng.random() < 0.5 else Session.pm
        book.apply(day, half, ["A"], np.array([NUMBERS["/"]], np.uint8))
        if rng.random() < 0.9:
            kept = book.sessions()
            np.testing.assert_equal(kept, numbered(book._ordinals()))
