"""Schools' marks from strings that one can read, and their attendance."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from libs.common.school_day import Session, ordinal_of
from services.risk.attendance import Attendance, summary
from services.risk.attendance_counts import Marks, Tally, tally
from tests.unit.books import MONDAY, NUMBER, school_days


def marks(pupils: Sequence[str], start: date = MONDAY) -> Marks:
    """Return a school's marks: a character a session, am and pm in turn, no weekends."""
    sessions = max(map(len, pupils), default=0)
    days = school_days(start, (), sessions)
    ordinals = [ordinal_of(days[n // 2], list(Session)[n % 2]) for n in range(sessions)]
    codes = [[NUMBER[p[n]] if n < len(p) else 0 for p in pupils] for n in range(sessions)]
    return Marks(
        np.array(ordinals, np.int64), np.array(codes, np.uint8).reshape(sessions, len(pupils))
    )


def school(*pupils: str, start: date = MONDAY) -> Tally:
    return tally(marks(pupils, start))


def of(*schools: Tally, pupils_min: int = 0, one_pupil: bool = False) -> Attendance:
    return summary(schools, pupils_min=pupils_min, one_pupil=one_pupil)
