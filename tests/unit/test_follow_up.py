"""How attendance went on after a bell, beside pupils alike."""

from datetime import date, timedelta

import numpy as np
import pytest

from libs.common.codes import NUMBERS
from libs.common.events import Spell
from libs.common.school_day import Session, ordinal_of
from services.risk.attendance_counts import Marks
from services.risk.follow_up import follow, windows_of

RANG_ON = date(2026, 9, 28)


def school_days(count: int) -> list[date]:
    """Return weekdays, of which the 20th is the day of the bell."""
    first = RANG_ON - timedelta(weeks=4) + timedelta(days=1)
    days = [first + timedelta(days=n) for n in range(count * 2)]
    return [day for day in days if day.weekday() < 5][:count]


def marks(*pupils: str, days: int = 40) -> Marks:
    """Return marks of pupils, each a string of a code for each day, which both sessions have."""
    ordinals = [ordinal_of(day, half) for day in school_days(days) for half in Session]
    codes = [[NUMBERS[pupil[n // 2]] for pupil in pupils] for n in range(days * 2)]
    return Marks(np.array(ordinals, np.int64), np.array(codes, np.uint8))


def course(before: int, after: int) -> str:
    """Return the days of a pupil who missed so many of 20 before and of 20 after."""
    return "O" * before + "/" * (20 - before) + "O" * after + "/" * (20 - after)


def free(*taken: int, pupils: int = 7) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    found = np.ones(pupils, np.bool_)
    found[list(taken)] = False
    return found


def test_twenty_days_before_and_after_are_held_against_pupils_alike() -> None:
    books = marks(course(6, 2), *[course(6, 5)] * 6)
    windows = windows_of(books, RANG_ON)

    assert windows is not None
    assert follow(books, windows, 0, free(0)) == (
        Spell(possible_before=40, missed_before=12, possible_after=40, missed_after=4),
        Spell(possible_before=240, missed_before=72, possible_after=240, missed_after=60),
    )


def test_until_the_days_after_are_over_there_is_nothing() -> None:
    assert windows_of(marks(course(6, 2), days=39), RANG_ON) is None


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        ([course(0, 0)] * 6, (0,)),
        ([course(6, 5)] * 6, (0, 1, 2)),
        ([course(6, 5)] * 4 + ["Z" * 40] * 2, (0,)),
    ],
)
def test_pupils_too_unlike_with_bells_or_away_are_not_beside(
    others: list[str], taken: tuple[int, ...]
) -> None:
    books = marks(course(6, 2), *others)
    windows = windows_of(books, RANG_ON)

    assert windows is not None
    found = follow(books, windows, 0, free(*taken))
    assert found is not None
    assert found[1] is None


def test_the_ten_nearest_are_beside() -> None:
    books = marks(course(6, 2), *[course(7, 20)] * 5, *[course(6, 6)] * 10)
    windows = windows_of(books, RANG_ON)

    assert windows is not None
    found = follow(books, windows, 0, free(0, pupils=16))
    assert found is not None
    assert found[1] == Spell(
        possible_before=400, missed_before=120, possible_after=400, missed_after=120
    )


def test_of_a_pupil_who_has_left_there_is_nothing() -> None:
    books = marks(course(6, 2)[:20] + "Z" * 20, *[course(6, 5)] * 6)
    windows = windows_of(books, RANG_ON)

    assert windows is not None
    assert follow(books, windows, 0, free(0)) is None
