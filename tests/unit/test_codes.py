"""Attendance codes against the guidance, Working together to improve school attendance, part 8."""

from datetime import date

import numpy as np
import pytest

from libs.common import codes
from libs.common.codes import BY_NUMBER, CODES, NO_MARK, NUMBERS, in_use_on, mask_of, numbers_of

NEW_RULES = date(2024, 8, 19)
TODAY = date(2026, 9, 14)
PRESENT = ["/", "\\", "L"]
ELSEWHERE = ["K", "V", "P", "W", "B"]
AUTHORISED = ["C", "C1", "C2", "E", "I", "J1", "M", "R", "S", "T"]
UNAUTHORISED = ["G", "N", "O", "U"]
NOT_POSSIBLE = ["D", "Q", "X", "Y1", "Y2", "Y3", "Y4", "Y5", "Y6", "Y7", "Z", "#"]
IN_USE = sorted(PRESENT + ELSEWHERE + AUTHORISED + UNAUTHORISED + NOT_POSSIBLE)


def texts(table: codes.NDArray[np.bool_]) -> list[str]:
    return sorted(BY_NUMBER[int(number)].text for number in np.flatnonzero(table))


def test_todays_codes_are_those_of_the_guidance() -> None:
    assert texts(in_use_on(TODAY)) == IN_USE


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (codes.POSSIBLE, PRESENT + ELSEWHERE + AUTHORISED + UNAUTHORISED),
        (codes.ABSENT, AUTHORISED + UNAUTHORISED),
        (codes.AUTHORISED, AUTHORISED),
        (codes.UNAUTHORISED, UNAUTHORISED),
        (codes.IN_SCHOOL, [*PRESENT, "U"]),
        (codes.LATE, ["L", "U"]),
    ],
    ids=["possible", "absent", "authorised", "unauthorised", "in school", "late"],
)
def test_each_code_counts_as_the_guidance_says(
    table: codes.NDArray[np.bool_], expected: list[str]
) -> None:
    assert texts(table & in_use_on(TODAY)) == sorted(expected)


@pytest.mark.parametrize(
    ("day", "taken", "refused"),
    [
        (date(2024, 8, 18), ["H", "J", "Y"], ["K", "C1", "C2", "J1", "Q", "Y1", "Y7", "F"]),
        (NEW_RULES, ["K", "C1", "C2", "J1", "Q", "Y1", "Y7"], ["H", "J", "Y", "F"]),
        (date(2013, 8, 31), ["F", "H"], ["K"]),
        (date(2013, 9, 1), ["H"], ["F", "K"]),
    ],
)
def test_a_code_is_taken_for_the_days_when_it_was_in_force(
    day: date, taken: list[str], refused: list[str]
) -> None:
    assert in_use_on(day)[numbers_of(taken)].all()
    assert not in_use_on(day)[numbers_of(refused)].any()


def test_a_number_once_given_stays_since_stored_columns_hold_it() -> None:
    held = "/ \\ L K V P W B D C C1 C2 E I J1 M R S T G N O U Q X Y1 Y2 Y3 Y4 Y5 Y6 Y7 Z # H J Y F"

    assert [NUMBERS[text] for text in held.split()] == list(range(1, 39))
    assert len(CODES) == len(NUMBERS) == len(BY_NUMBER) == 38


def test_what_is_no_code_is_no_mark() -> None:
    numbers = numbers_of(["N", "", "n", "Y8", "NN", "N "])

    assert numbers.tolist() == [NUMBERS["N"], *[NO_MARK] * 5]
    assert not in_use_on(TODAY)[NO_MARK]


def test_no_mark_counts_as_nothing() -> None:
    for table in (codes.POSSIBLE, codes.ABSENT, codes.IN_SCHOOL, codes.LATE):
        assert not table[NO_MARK]


def test_tables_that_everybody_shares_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        codes.ABSENT[1] = True
    with pytest.raises(KeyError):
        mask_of(["nothing"])
