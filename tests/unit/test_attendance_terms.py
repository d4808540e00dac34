"""The official statistics' terms: every day lies in one, and spring ends with Easter Sunday."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.attendance_terms import easter_sunday, term_of


@pytest.mark.parametrize(
    ("year", "sunday"),
    [
        # Source: the Book of Common Prayer's table, as almanacs print it.
        (1943, (4, 25)), (2000, (4, 23)), (2008, (3, 23)), (2019, (4, 21)), (2024, (3, 31)),
        (2025, (4, 20)), (2026, (4, 5)), (2027, (3, 28)), (2038, (4, 25)),
    ],
)  # fmt: skip
def test_easter(year: int, sunday: tuple[int, int]) -> None:
    assert easter_sunday(year) == date(year, *sunday)


@pytest.mark.parametrize(
    ("day", "term"),
    [
        (date(2026, 8, 1), (2026, "autumn")),
        (date(2026, 12, 31), (2026, "autumn")),
        (date(2027, 1, 1), (2026, "spring")),
        (date(2027, 3, 28), (2026, "spring")),
        (date(2027, 3, 29), (2026, "summer")),
        (date(2027, 7, 31), (2026, "summer")),
    ],
)
def test_spring_ends_with_easter_sunday(day: date, term: tuple[int, str]) -> None:
    assert (term_of(day).academic_year, term_of(day).name) == term


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)))
def test_a_day_lies_in_its_term_and_in_no_other(day: date) -> None:
    first, last = term_of(day).span

    assert first <= day <= last
    assert term_of(first) == term_of(last) == term_of(day)
    assert term_of(last + timedelta(1)) > term_of(day)
