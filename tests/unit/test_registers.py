"""Sorting out marks and comparing them with what is held."""

from datetime import date

import pytest

from libs.common.identifiers import check_letter
from libs.common.school_day import Session
from services.ingest.held import Held, unpacked
from services.ingest.registers import Marks, Sorted, sort_out

DAY = date(2026, 9, 14)


def upn(number: int) -> str:
    rest = f"801200{number:06d}"
    return check_letter(rest) + rest


def marks(*codes: str, first: int = 1, **more: object) -> Marks:
    upns = [upn(first + n) for n in range(len(codes))]
    return Marks(list(range(len(codes))), upns, list(codes), **more)  # type: ignore[arg-type]


def good(*codes: str, **more: object) -> Sorted:
    return sort_out(DAY, Session.am, marks(*codes, **more))


def test_good_marks_are_all_taken() -> None:
    found = good("/", "N", "L", minutes={2: 5})

    assert (len(found.upns), found.rejected, found.notes) == (3, [], [])
    assert found.minutes == {upn(3): 5}


@pytest.mark.parametrize(("code", "hint"), [("?", "no such"), ("n", "did you mean N"), ("", "no")])
def test_an_unknown_code_is_rejected_with_a_way_to_mend_it(code: str, hint: str) -> None:
    [bad] = good(code).rejected

    assert hint in bad.reason


def test_a_code_counts_from_its_first_day_and_not_the_day_before() -> None:
    before = sort_out(date(2024, 8, 18), Session.am, marks("K"))
    on_it = sort_out(date(2024, 8, 19), Session.am, marks("K"))

    assert (len(before.rejected), len(on_it.rejected)) == (1, 0)


def test_minutes_late_go_with_l_and_u_alone() -> None:
    found = good("/", "L", "U", minutes={0: 1, 1: 2, 2: 3})

    assert [bad.index for bad in found.rejected] == [0]


def test_the_first_good_mark_of_a_pupil_is_taken_and_later_ones_are_rejected() -> None:
    found = sort_out(DAY, Session.am, Marks([0, 1, 2], [upn(1)] * 3, ["?", "N", "/"]))

    assert [bad.index for bad in found.rejected] == [0, 2]
    assert found.upns == [upn(1)]


def test_what_is_packed_is_unpacked_the_same() -> None:
    held = Held()
    held.take(good("/", "L", "N", minutes={1: 5}, comments={2: "rang"}, group="7A"))
    held.take(good("U", first=9))

    assert unpacked(**held.packed()) == held


def test_minutes_that_are_sent_no_more_are_a_correction() -> None:
    held = Held()
    held.take(good("L", minutes={0: 5}))

    changes = held.take(good("L"))

    assert [(c.before.minutes, c.now.minutes) for c in changes.corrected] == [(5, None)]
    assert held.minutes == {}
