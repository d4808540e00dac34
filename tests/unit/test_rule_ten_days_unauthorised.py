"""Ten days unauthorised: where a run begins, and what goes on through it."""

from datetime import date, timedelta

from libs.common.school_day import Session, ordinal_of
from services.risk.fold import Severity
from services.risk.rules.runs import TenDaysUnauthorised
from tests.unit.books import MONDAY, Marks, finding, first_ring, fold

RULE = TenDaysUnauthorised()


def test_the_bell_is_anchored_at_the_runs_first_session() -> None:
    (rung,) = fold([RULE], Marks(["/" + "O" * 20]))[-1].ringing

    assert rung.anchors.tolist() == [ordinal_of(MONDAY, Session.pm)]
    assert rung.severities.tolist() == [Severity.warning]


def test_a_half_day_attended_each_day_is_no_run() -> None:
    assert first_ring(RULE, "O/" * 60) is None


def test_a_session_that_does_not_count_is_not_the_runs_first() -> None:
    (rung,) = fold([RULE], Marks(["4D" + "O" * 20]))[-1].ringing

    assert rung.anchors.tolist() == [ordinal_of(MONDAY + timedelta(days=1), Session.am)]


def test_a_run_goes_on_over_the_summer() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]

    assert first_ring(RULE, Marks(["O" * 20], start=date(2026, 7, 20), closed=summer)) == 20


def test_a_pupil_who_joined_late_counts_from_the_first_mark() -> None:
    assert first_ring(RULE, " " * 30 + "O" * 20) == 50


def test_a_second_run_is_a_second_bell() -> None:
    (episodes,) = fold([RULE], Marks(["O" * 20 + "/" + "O" * 20]))[-1].episodes

    assert [e.until is None for e in episodes.values()] == [False, True]


def test_the_words_count_days_and_the_evidence_lists_every_session() -> None:
    told = finding(RULE, "O" * 21)

    assert "10.5 school days in a row" in told.explanation
    assert len(told.evidence["sessions"]) == 21


def test_the_evidence_lists_at_most_the_latest_sixty() -> None:
    told = finding(RULE, "O" * 80)

    assert len(told.evidence["sessions"]) == 60
    assert told.evidence["sessions_missed"] == 80
