"""Pure: the three terms of the official statistics.

Source: DfE, Pupil absence statistics: methodology, table 6: autumn is 1 August to 31 December,
spring 1 January to Easter Sunday, summer Easter Monday to 31 July, whatever a school's own dates.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from libs.common.school_day import academic_year_of

Name = Literal["autumn", "spring", "summer"]
NAMES: tuple[Name, ...] = ("autumn", "spring", "summer")


class Term(NamedTuple):
    """One term; terms sort by time."""

    academic_year: int
    """Calendar year in which the academic year began."""
    number: int
    """0 is autumn."""

    @property
    def name(self) -> Name:
        """What the statistics call it."""
        return NAMES[self.number]

    @property
    def span(self) -> tuple[date, date]:
        """Its first and its last day."""
        easter = easter_sunday(self.academic_year + 1)
        return (
            (date(self.academic_year, 8, 1), date(self.academic_year, 12, 31)),
            (date(self.academic_year + 1, 1, 1), easter),
            (easter + timedelta(days=1), date(self.academic_year + 1, 7, 31)),
        )[self.number]


@lru_cache(maxsize=4096)
def term_of(day: date) -> Term:
    """Return the term that a day lies in: every day lies in one."""
    year = academic_year_of(day)
    if day.year == year:
        return Term(year, 0)
    return Term(year, 1 if day <= easter_sunday(day.year) else 2)


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a Gregorian year.

    Source: the anonymous algorithm, Nature, 20 April 1876, in Meeus's wording.
    """
    golden = year % 19
    century, rest = divmod(year, 100)
    corrected = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - corrected + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
