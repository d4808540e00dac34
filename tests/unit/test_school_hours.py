"""By when somebody must have answered: school hours of school days, unless it is always."""

from datetime import UTC, date, datetime

import pytest

from libs.common.school_day import LONDON
from services.notify.school_hours import SchoolDays

AUTUMN = {
    "terms": [
        {"starts_on": "2026-09-01", "ends_on": "2026-10-23"},
        {"starts_on": "2026-11-02", "ends_on": "2026-12-18"},
    ],
    "closed": [
        {"date": "2026-09-21", "reason": "INSET"},
        {"date": "2026-09-23", "session": "pm", "reason": "Open evening"},
    ],
}
DAYS = SchoolDays({2026: AUTUMN})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("told", "hours", "by"),
    [
        ("2026-09-15 09:10", 4, "2026-09-15 13:10"),
        ("2026-09-15 14:00", 4, "2026-09-16 10:00"),
        ("2026-09-15 07:00", 2, "2026-09-15 10:00"),
        ("2026-09-15 19:00", 2, "2026-09-16 10:00"),
        ("2026-09-18 14:00", 4, "2026-09-22 10:00"),  # over a Sunday and an INSET day
        ("2026-09-17 09:00", 48, "2026-09-22 09:00"),
        ("2026-10-23 15:00", 2, "2026-11-02 09:00"),  # over half-term, and summer time's end
        ("2026-12-19 12:00", 2, "2026-12-21 10:00"),  # no further school day: the next day at all
    ],
)
def test_hours_count_while_the_school_is_at_work(told: str, hours: int, by: str) -> None:
    days = SchoolDays({2026: AUTUMN, 2027: AUTUMN})
    if told.startswith("2026-12"):
        days = SchoolDays({})

    assert days.answer_by(at(told), hours, always=False) == at(by)


def test_always_is_by_the_clock() -> None:
    by = DAYS.answer_by(at("2026-10-24 22:00"), 4, always=True)

    assert by == datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # the clocks went back that night


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 9, 20), False),
        (date(2026, 9, 21), False),
        (date(2026, 9, 23), True),
        (date(2026, 10, 28), False),
        (date(2028, 3, 1), True),
    ],
)
def test_a_day_is_a_school_day_by_the_calendar_and_without_one_by_the_week(
    day: date, is_open: bool
) -> None:
    assert DAYS.has(day) is is_open
