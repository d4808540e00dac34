"""School time: sessions, their order, school days in Europe/London, and academic years."""

from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

LONDON = ZoneInfo("Europe/London")


class Session(StrEnum):
    """Half a school day."""

    am = "am"
    pm = "pm"


def _as_written(value: object) -> object:
    # Pydantic alone would take 1700000000 for a day, and "0" too.
    if isinstance(value, date):
        return value
    if not (isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-"):
        raise ValueError("write the day as YYYY-MM-DD")
    return value


def _in_living_memory(day: date) -> date:
    if not 1900 <= day.year <= 2100:
        raise ValueError("a day lies between 1900 and 2100")
    return day


Day = Annotated[date, BeforeValidator(_as_written), AfterValidator(_in_living_memory)]
"""A day in a request: YYYY-MM-DD, and nothing that could be taken for one."""


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def london_day(at: datetime) -> date:
    """Return the day that it is in England at this instant.

    Raises:
        ValueError: `at` has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(LONDON).date()


def ordinal_of(day: date, session: Session) -> int:
    """Return a session's place in time: two to a day, morning first."""
    return day.toordinal() * 2 + (session is Session.pm)


def day_of(ordinal: int) -> date:
    """Return the day of the session with this ordinal."""
    return date.fromordinal(ordinal // 2)


def session_of(ordinal: int) -> Session:
    """Return which half of its day the session with this ordinal is."""
    return Session.pm if ordinal % 2 else Session.am


def academic_year_of(day: date) -> int:
    """Return the calendar year in which the academic year of `day` began.

    The border is 1 August: some authorities' autumn terms begin in the last days of August.
    """
    return day.year if day.month >= 8 else day.year - 1


@cache
def academic_year_at(ordinal: int) -> int:
    """Return the calendar year in which the academic year of a session began."""
    return academic_year_of(day_of(ordinal))


def academic_year_label(start: int) -> str:
    """Return an academic year as people write it, e.g. 2026 gives "2026-27"."""
    return f"{start}-{(start + 1) % 100:02d}"
