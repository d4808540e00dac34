"""Unexplained absence: whose, how urgent, and how long it rings."""

from datetime import date, timedelta

import numpy as np

from libs.common.school_day import Session, ordinal_of
from services.risk.fold import Severity
from services.risk.progress import Fold
from services.risk.rules.unexplained import UnexplainedAbsence
from tests.unit.books import MONDAY, Marks, columns, finding, fold, rings

RULE = UnexplainedAbsence()
FOLD = Fold([RULE])
MORNING = ordinal_of(MONDAY, Session.am)


def test_the_footing_decides_between_warning_and_urgent() -> None:
    for worker, severity in ((1, Severity.warning), (2, Severity.urgent)):
        (rung,) = fold([RULE], Marks(["N"], worker=worker))[-1].ringing

        assert rung.severities.tolist() == [severity]


def test_an_afternoon_is_anchored_at_its_days_morning() -> None:
    (rung,) = fold([RULE], Marks(["/N"], worker=1))[-1].ringing

    assert rung.anchors.tolist() == [MORNING]


def test_at_most_six_days_ring_for_one_pupil_sorted_by_pupil_and_anchor() -> None:
    (rung,) = fold([RULE], Marks(["N" * 40, "N" * 40], worker=1))[-1].ringing

    assert rung.pupils.tolist() == [0] * 6 + [1] * 6
    pairs = list(zip(rung.pupils.tolist(), rung.anchors.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


def test_holidays_do_not_shorten_the_days_that_it_rings() -> None:
    closed = [MONDAY + timedelta(days=n) for n in range(1, 21)]

    assert (
        rings(RULE, Marks(["N/" + "/" * 12], closed=closed, worker=1)) == [True] * 12 + [False] * 2
    )


def test_it_rings_on_into_a_new_school_year() -> None:
    summer = [date(2026, 7, 22) + timedelta(days=n) for n in range(44)]
    marks = Marks(["N/" + "/" * 12], start=date(2026, 7, 21), closed=summer, worker=1)

    assert rings(RULE, marks) == [True] * 12 + [False] * 2


def test_a_worker_who_ends_later_leaves_the_bell_ringing_and_starts_no_other() -> None:
    progress = FOLD.begin(1)
    for n, column in enumerate(columns(Marks(["N/NN"], worker=1))):
        worker = np.full(1, 1 if n < 2 else 0, np.uint8)
        progress = FOLD.advance(progress, column._replace(worker=worker))

    assert progress.ringing[0].anchors.tolist() == [MORNING]


def test_the_words_name_the_day_and_the_half() -> None:
    told = finding(RULE, Marks(["/N"], worker=1))

    assert "Monday 7 September 2026 (afternoon)" in told.explanation
    assert told.evidence["sessions"] == [{"date": "2026-09-07", "session": "pm", "code": "N"}]
