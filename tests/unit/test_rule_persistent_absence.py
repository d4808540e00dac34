"""Persistent absence: the figure at its borders."""

from datetime import date, timedelta

from services.risk.fold import Severity
from services.risk.rules.rates import PERSISTENT
from tests.unit.books import Marks, finding, first_ring, fold, rings


def test_exactly_ten_percent_rings_and_one_session_less_does_not() -> None:
    assert first_ring(PERSISTENT, "/" * 180 + "O" * 19) is None
    assert first_ring(PERSISTENT, "/" * 180 + "O" * 20) == 200


def test_at_exactly_nine_percent_it_still_rings_and_below_it_does_not() -> None:
    after = rings(PERSISTENT, "I" * 9 + "/" * 92)

    assert after[99:101] == [True, False]


def test_having_cleared_it_rings_again_at_ten_percent_alone() -> None:
    after = rings(PERSISTENT, "II" + "/" * 21 + "I" + "/" * 4 + "I")

    # 2 of 23 cleared it; 3 of 24 rings, 3 of 28 still does, 4 of 29 does.
    assert after[22:24] == [False, True]


def test_it_is_a_notice_anchored_at_the_first_of_august() -> None:
    (rung,) = fold([PERSISTENT], Marks(["II" + "/" * 18]))[-1].ringing

    assert rung.anchors.tolist() == [date(2026, 8, 1).toordinal() * 2]
    assert rung.severities.tolist() == [Severity.notice]


def test_the_new_year_needs_its_own_twenty_sessions() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]
    marks = Marks(["I" * 20 + "I" * 20], start=date(2026, 7, 8), closed=summer)

    assert rings(PERSISTENT, marks) == [False] * 19 + [True] + [False] * 19 + [True]


def test_a_late_mark_and_an_activity_off_site_are_no_absence() -> None:
    assert first_ring(PERSISTENT, "LVPWBK" * 10) is None


def test_the_figures_are_this_years() -> None:
    told = finding(PERSISTENT, "II" + "/" * 18)

    assert {k: told.evidence[k] for k in ("missed", "possible", "percent")} == {
        "missed": 2,
        "possible": 20,
        "percent": 10.0,
    }
