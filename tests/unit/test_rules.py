"""Every exact rule at its edges: the session before, the session itself, the session after."""

from datetime import date, timedelta

import pytest

from services.risk.catalogue import RULES
from services.risk.rules.penalty import PenaltyThreshold
from services.risk.rules.rates import PERSISTENT, SEVERE, SicknessReturn
from services.risk.rules.runs import MissingEducation, TenDaysUnauthorised
from services.risk.rules.unexplained import ReasonOverdue, UnexplainedAbsence
from tests.unit.books import Marks, finding, first_ring, fold, rings

DAY = 2
WEEK = 10


EMERGING = {
    "group-absence",
    "health-absence",
    "lateness",
    "leaves-after-registration",
    "likely-persistent",
    "relapse",
    "sudden-change",
    "weekday-pattern",
}


SCHOOLS = {"mass-absence", "register-missing"}


def test_the_catalogue_has_the_emerging_kinds() -> None:
    assert {rule.kind for rule in RULES} >= EMERGING | SCHOOLS


def test_the_catalogue_has_every_exact_kind_once() -> None:
    assert [rule.kind for rule in RULES if rule.kind not in EMERGING | SCHOOLS] == [
        "missing-education",
        "penalty-threshold",
        "persistent-absence",
        "reason-overdue",
        "severe-absence",
        "sickness-return",
        "ten-days-unauthorised",
        "unexplained-absence",
    ]


@pytest.mark.parametrize(
    ("marks", "first"),
    [
        ("/" * 18 + "II", 20),  # exactly 10 % of 20
        ("/" * 19 + "I", None),  # 5 %
        ("I" * 19, None),  # too few sessions to speak of
        ("III" + "D" * 7 + "/" * 27, 27),  # sessions that do not count: 3 of 20 at the 27th
        ("OO" + "/" * 18, 20),
        (" " * 20 + "/" * 18 + "II", 40),  # joined late: only own sessions count
    ],
)
def test_persistent_absence_is_ten_percent_of_a_pupils_own_sessions(
    marks: str, first: int | None
) -> None:
    assert first_ring(PERSISTENT, marks) == first


def test_persistent_absence_clears_below_nine_percent_and_not_at_the_border() -> None:
    after = rings(PERSISTENT, "II" + "/" * 18 + "/" * 5)

    assert after[19:] == [True, True, True, False, False, False]  # 2 of 22 is 9.09 %, of 23 8.7 %


def test_severe_absence_is_half() -> None:
    assert first_ring(SEVERE, "/" * 10 + "I" * 10) == 20
    assert first_ring(SEVERE, "/" * 11 + "I" * 10) is None


def test_a_new_school_year_starts_at_nothing() -> None:
    summer = tuple(date(2026, 7, 21) + timedelta(days=n) for n in range(48))
    marks = Marks(["I" * 20 + "/" * 20], start=date(2026, 7, 7), closed=summer)

    assert rings(PERSISTENT, marks)[19:21] == [True, False]


def test_sickness_return_is_due_on_the_fifteenth_day_in_all() -> None:
    assert first_ring(SicknessReturn(), "I" * 29) is None
    assert first_ring(SicknessReturn(), "I" * 30) == 30
    assert first_ring(SicknessReturn(), ("I/" * 15) + ("I" * 15)) == 45  # half days count half
    assert all(rings(SicknessReturn(), "I" * 30 + "/" * 50)[29:])


def test_ten_days_unauthorised_ring_on_the_twentieth_session_in_a_row() -> None:
    assert first_ring(TenDaysUnauthorised(), "O" * 19) is None
    assert first_ring(TenDaysUnauthorised(), "GNOU" * 5) == 20
    assert first_ring(TenDaysUnauthorised(), "O" * 10 + "/" + "O" * 19) is None
    assert first_ring(TenDaysUnauthorised(), "O" * 10 + "I" + "O" * 19) is None


def test_sessions_that_do_not_count_neither_break_nor_lengthen_a_run() -> None:
    assert first_ring(TenDaysUnauthorised(), "O" * 10 + "4D# " + "O" * 9) is None
    assert first_ring(TenDaysUnauthorised(), "O" * 10 + "4D# " + "O" * 10) == 24


def test_a_run_goes_on_over_half_term_and_an_inset_day() -> None:
    closed = [date(2026, 9, 11), *(date(2026, 9, 14) + timedelta(days=n) for n in range(5))]

    assert first_ring(TenDaysUnauthorised(), Marks(["O" * 20], closed=closed)) == 20


def test_a_run_clears_when_the_pupil_is_back() -> None:
    assert rings(TenDaysUnauthorised(), "O" * 20 + "/")[-2:] == [True, False]


def test_missing_education_is_twenty_days_or_ten_after_leave() -> None:
    assert first_ring(MissingEducation(), "O" * 40) == 40
    assert first_ring(MissingEducation(), "O" * 39) is None
    assert first_ring(MissingEducation(), "CC" + "O" * 20) == 22
    assert first_ring(MissingEducation(), "CC/" + "O" * 39) is None
    assert first_ring(MissingEducation(), "CC##" + "O" * 20) == 24


def test_ten_unauthorised_sessions_in_ten_school_weeks_meet_the_threshold() -> None:
    spread = ("O" + "/" * (WEEK - 1)) * 10

    assert first_ring(PenaltyThreshold(), spread) == 91
    assert first_ring(PenaltyThreshold(), spread[: WEEK * 9] + "/" * WEEK + "O") is None
    assert first_ring(PenaltyThreshold(), "OI" * 9) is None
    assert first_ring(PenaltyThreshold(), "GI" + "OI" * 5 + "UI" * 3 + "N") == 19


def test_a_week_without_school_is_no_school_week() -> None:
    half_term = [date(2026, 10, 26) + timedelta(days=n) for n in range(5)]
    marks = Marks([("O" + "/" * 9) * 9 + "/" * 9 + "O"], closed=half_term)

    assert first_ring(PenaltyThreshold(), marks) == 100


def test_the_threshold_clears_when_the_weeks_have_passed() -> None:
    after = rings(PenaltyThreshold(), "O" * WEEK + "/" * WEEK * 10)

    assert after[WEEK * 10 - 1] is True
    assert after[WEEK * 10] is False


def test_an_unexplained_absence_rings_at_once_for_a_child_with_a_worker_alone() -> None:
    assert first_ring(UnexplainedAbsence(), Marks(["/N"], worker=1)) == 2
    assert first_ring(UnexplainedAbsence(), Marks(["/N"], worker=0)) is None
    assert first_ring(UnexplainedAbsence(), Marks(["IOU"], worker=1)) is None


def test_an_unexplained_absence_rings_until_its_reason_is_overdue() -> None:
    after = rings(UnexplainedAbsence(), Marks(["N/" + "/" * 14], worker=1))

    assert after == [True] * 12 + [False] * 4


def test_each_day_without_a_reason_is_a_bell_of_its_own() -> None:
    progress = fold([UnexplainedAbsence()], Marks(["NN//N"], worker=2))[-1]

    assert len(progress.episodes[0]) == 2
    assert set(progress.ringing[0].severities) == {3}


def test_a_reason_is_overdue_on_the_sixth_school_day_after() -> None:
    assert first_ring(ReasonOverdue(), "N/" + "/" * 10) is None
    assert first_ring(ReasonOverdue(), "N/" + "/" * 11) == 13
    assert first_ring(ReasonOverdue(), "I/" + "/" * 11) is None


def test_holidays_do_not_make_a_reason_overdue() -> None:
    closed = [date(2026, 9, 8) + timedelta(days=n) for n in range(20)]

    assert first_ring(ReasonOverdue(), Marks(["N/" + "/" * 11], closed=closed)) == 13


def test_a_pupil_who_is_never_absent_rings_nothing() -> None:
    progress = fold(RULES, Marks(["/" * 380], worker=2))[-1]

    assert [episodes for episodes in progress.episodes if episodes] == []


@pytest.mark.parametrize(
    ("rule", "marks", "words"),
    [
        (TenDaysUnauthorised(), "O" * 20, "10 school days in a row, from Monday 7 September 2026"),
        (PERSISTENT, "II" + "/" * 18, "Missed 2 of 20 possible sessions"),
        (SicknessReturn(), "I" * 30, "for 15 school days this school year"),
        (MissingEducation(), "C" + "O" * 20, "followed leave"),
        (
            PenaltyThreshold(),
            "O" * 10,
            "10 sessions of unauthorised absence within 10 school weeks",
        ),
        (ReasonOverdue(), "N" + "/" * 13, "1 session still has no reason"),
    ],
)
def test_a_bell_says_what_was_seen(rule: object, marks: str, words: str) -> None:
    told = finding(rule, marks)  # type: ignore[arg-type]

    assert words in told.explanation
    assert told.evidence["sessions"]
