"""Missing education: what counts as leave not returned from."""

from datetime import date, timedelta

import numpy as np
import pytest

from libs.common.codes import NUMBERS
from services.risk.fold import Severity, column_of
from services.risk.progress import Fold
from services.risk.rules.runs import MissingEducation
from tests.unit.books import Marks, columns, finding, first_ring, fold

RULE = MissingEducation()
FOLD = Fold([RULE])


@pytest.mark.parametrize(
    ("marks", "first"),
    [
        ("C" + "O" * 19, None),
        ("C" + "O" * 20, 21),
        ("H" + "O" * 20, 21),
        ("CI" + "O" * 39, None),  # illness in between: not directly after leave
        ("C4D# " + "O" * 20, 25),
        ("CO/" + "O" * 39, None),  # back for a session: the next run follows no leave
        (" " * 10 + "O" * 40, 50),
    ],
)
def test_ten_days_are_enough_directly_after_leave_alone(marks: str, first: int | None) -> None:
    assert first_ring(RULE, marks) == first


@pytest.mark.parametrize(("code", "rings"), [("C1", True), ("C2", False), ("E", False)])
def test_leave_for_a_performance_counts_and_other_authorised_absence_does_not(
    code: str, rings: bool
) -> None:
    first, *rest = columns(Marks(["C" + "O" * 20]))
    when = {f: getattr(first, f) for f in ("ordinal", "school_day", "school_week", "worker")}
    swapped = column_of(
        np.array([NUMBERS[code]], np.uint8), academic_year=first.academic_year, **when
    )
    progress = FOLD.begin(1)
    for column in (swapped, *rest):
        progress = FOLD.advance(progress, column)

    assert bool(len(progress.ringing[0].pupils)) is rings


def test_leave_before_the_summer_is_directly_before_september() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]
    marks = Marks(["CC" + "O" * 20], start=date(2026, 7, 21), closed=summer)

    assert first_ring(RULE, marks) == 22


def test_it_is_urgent() -> None:
    assert fold([RULE], Marks(["O" * 40]))[-1].ringing[0].severities.tolist() == [Severity.urgent]


def test_without_leave_the_words_say_nothing_of_leave() -> None:
    assert "leave" not in finding(RULE, "O" * 40).explanation
