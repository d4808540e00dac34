"""Sickness return: once in an academic year, whatever comes between the days."""

from datetime import date, timedelta

from services.risk.fold import Severity
from services.risk.rules.rates import SicknessReturn
from tests.unit.books import Marks, finding, first_ring, fold, rings

RULE = SicknessReturn()


def test_it_is_a_notice_anchored_at_the_first_of_august() -> None:
    (rung,) = fold([RULE], Marks(["I" * 30]))[-1].ringing

    assert rung.anchors.tolist() == [date(2026, 8, 1).toordinal() * 2]
    assert rung.severities.tolist() == [Severity.notice]


def test_other_absence_is_no_illness() -> None:
    assert first_ring(RULE, "MIOIEI" * 9 + "II") is None  # 29 sessions of I


def test_a_year_has_one_bell() -> None:
    (episodes,) = fold([RULE], Marks(["I" * 30 + "/" * 10 + "I" * 30]))[-1].episodes

    assert len(episodes) == 1


def test_the_new_school_year_ends_it_and_counts_anew() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]
    marks = Marks(["I" * 60], start=date(2026, 7, 1), closed=summer)

    # Fifteen school days from 1 to 21 July, then fifteen from September.
    assert rings(RULE, marks) == [False] * 29 + [True] + [False] * 29 + [True]


def test_half_days_are_told_as_halves() -> None:
    assert "15.5 school days" in finding(RULE, "I" * 31).explanation
