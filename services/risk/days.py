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
    afternoon: Codes | None
    """None: it has not come."""


NOT_BEGUN = Diary(NO_DAY, np.zeros(0, np.uint8), None)
"""No day is being put together."""


Halves = tuple[Codes, Codes, int]
"""A complete day: morning, afternoon, and the weekday; 0 is Monday."""


def step_diary(diary: Diary, ordinal: int, codes: Codes) -> tuple[Diary, Halves | None]:
    """Take a session's codes; return the day that it completes too, if it does.

    An afternoon completes its day. A day whose afternoon never comes (the school was shut) is
    complete when the next day's first session comes.
    """
    number, half = divmod(ordinal, 2)
    if half == AFTERNOON:
        if diary.day == number:
            return NOT_BEGUN, (diary.morning, codes, _weekday(number))
        blank = np.zeros_like(codes)
        if diary.day == NO_DAY:
            return NOT_BEGUN, (blank, codes, _weekday(number))
        return Diary(number, blank, codes), _halves(diary)
    begun = Diary(number, codes, None)
    return begun, None if diary.day in (NO_DAY, number) else _halves(diary)


def _halves(diary: Diary) -> Halves:
    blank = np.zeros_like(diary.morning)
    afternoon = blank if diary.afternoon is None else diary.afternoon
    return diary.morning, afternoon, _weekday(diary.day)


def _weekday(number: int) -> int:
    return (number - 1) % 7
