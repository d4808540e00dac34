"""Severe absence: half of the sessions, and clearing below 45 %."""

from services.risk.fold import Severity
from services.risk.rules.rates import SEVERE
from tests.unit.books import Marks, finding, fold, rings


def test_exactly_half_rings_and_one_session_less_does_not() -> None:
    assert rings(SEVERE, "O/" * 10)[-1]
    assert not rings(SEVERE, "//" + "O/" * 9)[-1]


def test_at_exactly_forty_five_percent_it_still_rings_and_below_it_does_not() -> None:
    after = rings(SEVERE, "I" * 18 + "/" * 23)

    assert after[39:41] == [True, False]


def test_it_is_a_warning_in_plain_words() -> None:
    assert fold([SEVERE], Marks(["I" * 20]))[-1].ringing[0].severities.tolist() == [
        Severity.warning
    ]
    assert "severely absent" in finding(SEVERE, "I" * 20).explanation
