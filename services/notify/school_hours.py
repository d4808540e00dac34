"""Pure: when a school is at work, and by when somebody must have answered."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from libs.common.school_day import LONDON, academic_year_of

OPENS, CLOSES = time(8), time(16)
"""School hours: within these somebody can be expected to answer."""
DAY_HOURS = 24
LOOK_AHEAD_DAYS = 120
"""Longer than any holiday; a calendar without another school day does not put off for ever."""


class SchoolDays(NamedTuple):
    """A school's calendars, by the year in which the academic year began.

    Without one for a day's year, Monday to Friday are school days: better told in a holiday
    than never.
    """

    calendars: Mapping[int, Mapping[str, Any]]

    def has(self, day: date) -> bool:
        """Whether the school is open on a day, or on half of it."""
        if day.weekday() >= 5:
            return False
        calendar = self.calendars.get(academic_year_of(day))
        if calendar is None:
            return True
        text = day.isoformat()
        closed = {one["date"] for one in calendar["closed"] if one.get("session") is None}
        in_term = any(t["starts_on"] <= text <= t["ends_on"] for t in calendar["terms"])
        return in_term and text not in closed

    def is_at_work(self, at: datetime) -> bool:
        """Whether it is a school day's school hours."""
        here = at.astimezone(LONDON)
        return self.has(here.date()) and OPENS <= here.time() < CLOSES

    def _next(self, day: date) -> date:
        for ahead in range(1, LOOK_AHEAD_DAYS):
            if self.has(day + timedelta(days=ahead)):
                return day + timedelta(days=ahead)
        return day + timedelta(days=1)

    def answer_by(self, at: datetime, hours: int, *, always: bool) -> datetime:
        """Return by when somebody who is told at an instant must have answered.

        Each whole day of `hours` is a school day, each further hour one of school hours; `always`:
        they are hours by the clock, in the night and in the holidays too.
        """
        if always:
            return at.astimezone(UTC) + timedelta(hours=hours)
        here = at.astimezone(LONDON)
        if not self.has(here.date()) or here.time() >= CLOSES:
            here = datetime.combine(self._next(here.date()), OPENS, LONDON)
        elif here.time() < OPENS:
            here = datetime.combine(here.date(), OPENS, LONDON)
        for _ in range(hours // DAY_HOURS):
            here = datetime.combine(self._next(here.date()), here.time(), LONDON)
        left = timedelta(hours=hours % DAY_HOURS)
        while left > (today := datetime.combine(here.date(), CLOSES, LONDON) - here):
            left -= today
            here = datetime.combine(self._next(here.date()), OPENS, LONDON)
        return (here + left).astimezone(UTC)
