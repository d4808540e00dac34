"""Penalty threshold: the ten school weeks, their edges and what lies between them."""

from datetime import date, timedelta

from libs.common.school_day import Session, ordinal_of
from services.risk.rules.penalty import PenaltyThreshold
from tests.unit.books import MONDAY, Marks, finding, first_ring, fold, rings

RULE = PenaltyThreshold()


def test_the_anchor_is_the_morning_of_the_day_it_was_met_and_stays() -> None:
    (rung,) = fold([RULE], Marks(["/OOOOOOOOOOO"]))[-1].ringing

    assert rung.anchors.tolist() == [ordinal_of(MONDAY + timedelta(days=7), Session.am)]


def test_nine_do_not_ring_and_the_tenth_in_the_tenth_week_does() -> None:
    assert first_ring(RULE, "O" * 9 + "/" * 91) is None
    assert first_ring(RULE, "O" * 9 + "/" * 90 + "O") == 100
    assert first_ring(RULE, "O" * 9 + "/" * 91 + "O") is None


def test_sessions_that_do_not_count_leave_their_week_a_school_week() -> None:
    assert first_ring(RULE, "O" * 9 + "/" + "4" * 90 + "O") is None


def test_the_weeks_span_the_summer() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]

    assert first_ring(RULE, Marks(["O" * 10], start=date(2026, 7, 20), closed=summer)) == 10


def test_a_half_term_keeps_it_ringing_a_calendar_week_longer() -> None:
    half_term = [date(2026, 10, 26) + timedelta(days=n) for n in range(5)]
    after = rings(RULE, Marks(["O" * 10 + "/" * 100], closed=half_term))

    assert after[99:101] == [True, False]


def test_meeting_it_again_is_another_bell() -> None:
    (episodes,) = fold([RULE], Marks(["O" * 10 + "/" * 90 + "O" * 10]))[-1].episodes

    assert [e.until is None for e in episodes.values()] == [False, True]


def test_a_pupil_who_joined_late_counts_from_the_first_mark() -> None:
    assert first_ring(RULE, " " * 105 + "O" * 10) == 115


def test_the_evidence_is_the_sessions_up_to_the_day_it_was_met() -> None:
    told = finding(RULE, "OI" * 9 + "O" + "/" * 9)

    assert told.evidence["sessions_missed"] == 10
    assert {s["code"] for s in told.evidence["sessions"]} == {"O"}
