"""A reason overdue: one bell for each run of school days with an N, until the year ends."""

from datetime import date, timedelta

from libs.common.school_day import Session, ordinal_of
from services.risk.rules.unexplained import ReasonOverdue
from tests.unit.books import MONDAY, Marks, finding, fold, rings

RULE = ReasonOverdue()


def anchors(marks: Marks | str) -> list[date]:
    marks = Marks([marks]) if isinstance(marks, str) else marks
    rung = fold([RULE], marks)[-1].ringing[0]
    return [date.fromordinal(a // 2) for a in rung.anchors.tolist()]


def test_it_rings_from_the_morning_of_the_sixth_school_day_after_either_half() -> None:
    for day in ("N/", "/N", "NN"):
        assert rings(RULE, day + "/" * 12) == [False] * 12 + [True] * 2


def test_a_second_run_has_a_bell_of_its_own() -> None:
    assert anchors("N/" + "//" + "N/" + "/" * 12) == [MONDAY, MONDAY + timedelta(days=2)]


def test_consecutive_school_days_are_one_run_over_a_weekend_and_an_inset_day() -> None:
    friday, monday = MONDAY + timedelta(days=4), MONDAY + timedelta(days=7)
    marks = Marks(["NN" * 2 + "/" * 14], start=friday, closed=[monday])

    assert anchors(marks) == [friday]


def test_a_run_longer_than_the_time_allowed_is_one_bell() -> None:
    assert anchors("N" * 40) == [MONDAY]


def test_a_pupil_who_joined_late_is_anchored_at_the_first_n() -> None:
    assert anchors(" " * 10 + "NN" + "/" * 12) == [MONDAY + timedelta(days=7)]


def test_pupils_bells_are_sorted_by_pupil_and_anchor() -> None:
    late, early = "////N/" + "/" * 16, "N///N/" + "/" * 16
    rung = fold([RULE], Marks([early, late, early]))[-1].ringing[0]

    assert rung.pupils.tolist() == [0, 0, 1, 2, 2]
    assert rung.anchors.tolist()[:2] == sorted(rung.anchors.tolist()[:2])


def test_the_new_school_year_ends_it_and_forgets_what_waited() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]
    marks = Marks(["N/" + "/" * 10 + "N/" + "/" * 18], start=date(2026, 7, 13), closed=summer)

    assert rings(RULE, marks) == [False] * 12 + [True] * 2 + [False] * 18


def test_the_words_tell_this_run_alone() -> None:
    told = finding(RULE, "NN" + "//" + "N/" + "/" * 12)

    assert "Wednesday 9 September 2026" in told.explanation
    assert told.evidence["sessions"] == [{"date": "2026-09-09", "session": "am", "code": "N"}]


def test_the_anchor_is_a_morning() -> None:
    rung = fold([RULE], Marks(["/N" + "/" * 12]))[-1].ringing[0]

    assert rung.anchors.tolist() == [ordinal_of(MONDAY, Session.am)]
