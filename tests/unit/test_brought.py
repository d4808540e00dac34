"""Pupils who move school bring their year with them."""

from datetime import date

import numpy as np
import pytest

from libs.common.codes import NUMBERS
from libs.common.events import Brought, RollPupil
from libs.common.school_day import Session
from services.risk.book import Book
from services.risk.enrolment import Enrolment, enrolment_of
from services.risk.fold import BroughtSessions
from services.risk.rules.rates import PERSISTENT, SEVERE
from tests.unit.books import MONDAY

ADA = "B801200005001"
BEN = "P207000016049"


def book(brought: BroughtSessions | None, code: str = "I") -> Book:
    """Return a book with one session, in which Ada has this mark and Ben is there."""
    book = Book("100000", [PERSISTENT, SEVERE])
    book.enrol(ADA, Enrolment(MONDAY, brought=brought))
    book.apply(MONDAY, Session.am, [ADA, BEN], np.array([NUMBERS[code], NUMBERS["/"]], np.uint8))
    return book


def ringing(book: Book) -> list[int]:
    (persistent, _) = book.fold().episodes
    return [pupil for pupil, _ in persistent]


def test_the_years_sessions_at_former_schools_count() -> None:
    assert ringing(book(BroughtSessions(2026, 199, 19))) == [0]
    assert ringing(book(BroughtSessions(2026, 200, 19))) == []
    assert ringing(book(None)) == []


def test_another_years_do_not() -> None:
    assert ringing(book(BroughtSessions(2025, 199, 150))) == []


def test_nothing_rings_before_the_pupil_has_come() -> None:
    moved = book(BroughtSessions(2026, 100, 60))
    moved.enrol(ADA, Enrolment(date(2026, 9, 14), brought=BroughtSessions(2026, 100, 60)))

    assert ringing(moved) == []


def test_the_explanation_says_what_was_elsewhere() -> None:
    record = book(BroughtSessions(2026, 199, 19)).record_of(0)

    told = PERSISTENT.explain(record, date(2026, 8, 1).toordinal() * 2)

    assert "Missed 20 of 200" in told.explanation
    assert "Of these, 19 of 199 were at former schools." in told.explanation
    assert [one["date"] for one in told.evidence["sessions"]] == ["2026-09-07"]


@pytest.mark.parametrize("left_out", [True, False])
def test_the_roll_says_what_is_brought(left_out: bool) -> None:
    brought = Brought(academic_year=2026, possible=100, authorised=5, unauthorised=7)
    pupil = RollPupil(
        upn=ADA, given_name="Ada", family_name="Example", date_of_birth=date(2014, 2, 3),
        year_group="7", entered_on=MONDAY, brought=None if left_out else brought,
    )  # fmt: skip

    assert enrolment_of(pupil).brought == (None if left_out else BroughtSessions(2026, 100, 12))
