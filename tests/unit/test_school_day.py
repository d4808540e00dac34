"""School time: days in England whatever the clock of the machine, sessions in order, years."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from libs.common.school_day import (
    Day,
    Session,
    academic_year_label,
    academic_year_of,
    day_of,
    london_day,
    ordinal_of,
    session_of,
)

DAY = TypeAdapter(Day)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 9, 14, 22, 59, tzinfo=UTC), date(2026, 9, 14)),
        (datetime(2026, 9, 14, 23, 0, tzinfo=UTC), date(2026, 9, 15)),  # summer: an hour ahead
        (datetime(2026, 12, 14, 23, 59, tzinfo=UTC), date(2026, 12, 14)),
        (datetime(2026, 12, 15, 0, 0, tzinfo=UTC), date(2026, 12, 15)),
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 9, 15, 8, 0, tzinfo=timezone(timedelta(hours=12))), date(2026, 9, 14)),
    ],
)
def test_the_day_is_that_in_england(at: datetime, day: date) -> None:
    assert london_day(at) == day


def test_an_instant_without_a_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        london_day(datetime(2026, 9, 14))  # noqa: DTZ001


sessions = st.tuples(st.dates(), st.sampled_from(Session))


@given(sessions)
def test_a_session_can_be_told_from_its_ordinal(place: tuple[date, Session]) -> None:
    assert (day_of(ordinal_of(*place)), session_of(ordinal_of(*place))) == place


@given(sessions, sessions)
def test_ordinals_are_in_the_order_of_time(
    one: tuple[date, Session], other: tuple[date, Session]
) -> None:
    assert (one < other) == (ordinal_of(*one) < ordinal_of(*other))  # "am" < "pm"


@pytest.mark.parametrize(
    ("day", "year", "label"),
    [
        (date(2026, 7, 31), 2025, "2025-26"),
        (date(2026, 8, 1), 2026, "2026-27"),
        (date(2026, 12, 31), 2026, "2026-27"),
        (date(2100, 1, 1), 2099, "2099-00"),
    ],
)
def test_an_academic_year_begins_in_august(day: date, year: int, label: str) -> None:
    assert academic_year_of(day) == year
    assert academic_year_label(year) == label


@pytest.mark.parametrize("written", ["2026-09-14", date(2026, 9, 14)])
def test_a_day_is_read_as_it_is_written(written: object) -> None:
    assert DAY.validate_python(written) == date(2026, 9, 14)


@pytest.mark.parametrize(
    "written",
    [
        "0", 0, 1700000000, "1700000000", "20260914", "2026-9-14", "14-09-2026", "2026-02-30",
        "2026-09-14T00:00:00", "0001-01-01", "1899-12-31", "2101-01-01", "", None, [2026, 9, 14],
    ],
)  # fmt: skip
def test_nothing_else_is_taken_for_a_day(written: object) -> None:
    with pytest.raises(ValidationError):
        DAY.validate_python(written)
