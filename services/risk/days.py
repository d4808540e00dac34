"""Days: a school day's two sessions, read together, for rules on emerging patterns.

A habit shows in days and spells, not in single sessions: an illness of three days is one event.
What a day says of each pupil is put together in `services.risk.habits`.
"""

from typing import NamedTuple

import numpy as np

from libs.common.codes import Codes
from services.risk.pupil_days import AFTERNOON, Rows

NO_DAY = -1


class Day(NamedTuple):
    """One complete school day. P is the number of pupils in the book."""

    weekday: int
    """0 is Monday."""
    pupils: Rows
    """Of `PUPIL_DAY`, shape (P,): `day.pupils["absent"]` is bool, shape (P,)."""
    school: Rows
    """Of `SCHOOL_DAY`, shape (1,)."""


class Diary(NamedTuple):
    """State: the day that is being put together."""

    day: int
    """Its number (ordinal // 2); `NO_DAY`: none."""
    morning: Codes
    afternoon: Codes
    """No marks before it has come."""
    blank: Codes
    """A session without marks."""

    @property
    def weekday(self) -> int:
        """0 is Monday."""
        return (self.day - 1) % 7


def start_diary(pupils: int) -> Diary:
    """Return a diary before the first session."""
    blank = np.zeros(pupils, np.uint8)
    return Diary(NO_DAY, blank, blank, blank)


def step_diary(diary: Diary, ordinal: int, codes: Codes) -> tuple[Diary, Diary | None]:
    """Take a session's codes; return the day that it completes too, if it does.

    An afternoon completes its day. A day whose afternoon never comes (the school was shut) is
    complete when the next day's first session comes.
    """
    number, half = divmod(ordinal, 2)
    blank = diary.blank
    if diary.day not in (NO_DAY, number):
        halves = (blank, codes) if half == AFTERNOON else (codes, blank)
        return Diary(number, *halves, blank), diary
    if half == AFTERNOON:
        morning = diary.morning if diary.day == number else blank
        return Diary(NO_DAY, blank, blank, blank), Diary(number, morning, codes, blank)
    return Diary(number, codes, blank, blank), None
