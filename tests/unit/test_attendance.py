"""What is counted of attendance: by session, week and term, with rates; what is kept back."""

from datetime import date, timedelta

import pytest

from services.risk.attendance import PUPILS_MIN, Span
from tests.unit.attendance import of, school
from tests.unit.books import MONDAY


def test_every_session_counts_as_its_code_says() -> None:
    figures = of(school("/LIVDUNXG "))

    assert (figures.pupils, figures.sessions_possible, figures.attended) == (1, 7, 3)
    assert (figures.authorised, figures.unauthorised, figures.late) == (1, 3, 2)
    assert (figures.absence_rate, figures.authorised_rate) == (0.5714, 0.1429)
    assert figures.unauthorised_rate == 0.4286


def test_who_has_no_possible_session_does_not_count() -> None:
    figures = of(school("D" * 10, "/" * 10, ""))

    assert (figures.pupils, figures.sessions_possible, figures.persistent) == (1, 10, 0)


def test_exactly_a_tenth_is_persistent_and_exactly_a_half_severe() -> None:
    figures = of(school("I" + "/" * 9, "I" + "/" * 10, "I" * 5 + "/" * 5, "I" * 5 + "/" * 6))

    assert (figures.persistent, figures.severe) == (3, 1)
    assert (figures.persistent_rate, figures.severe_rate) == (0.75, 0.25)


def test_weeks_begin_on_their_monday_and_the_rate_to_date_goes_on() -> None:
    first, second = of(school("I" * 5 + "/" * 15)).weeks

    assert (first.starts_on, second.starts_on) == (MONDAY, MONDAY + timedelta(7))
    assert (first.absence_rate, second.absence_rate) == (0.5, 0)
    assert (first.absence_rate_to_date, second.absence_rate_to_date) == (0.5, 0.25)


def test_the_rate_to_date_begins_anew_with_the_academic_year() -> None:
    weeks = of(school("I" * 10, start=date(2026, 7, 13)), school("/" * 10)).weeks

    assert [week.absence_rate_to_date for week in weeks] == [1, 0]


def test_the_year_to_date_adds_up_the_terms_before_and_none_of_another_year() -> None:
    figures = of(
        school("I" * 10, start=date(2026, 7, 13)),
        school("II" + "/" * 8),
        school("/" * 10, start=date(2027, 1, 11)),
    )

    assert [(term.academic_year, term.term) for term in figures.terms] == [
        ("2025-26", "summer"), ("2026-27", "autumn"), ("2026-27", "spring"),
    ]  # fmt: skip
    assert [term.year_to_date.absence_rate for term in figures.terms] == [1, 0.2, 0.1]
    assert [term.year_to_date.pupils for term in figures.terms] == [1, 1, 2]


def test_persistent_to_date_is_of_the_whole_year_and_not_of_the_term() -> None:
    pupil = school("I" + "/" * 9)._replace(
        terms=school("I" + "/" * 9).terms | school("/" * 10, start=date(2027, 1, 11)).terms
    )

    autumn, spring = of(pupil).terms

    assert (autumn.persistent, spring.persistent) == (1, 0)
    assert (spring.year_to_date.sessions_possible, spring.year_to_date.persistent) == (20, 0)


def test_a_pupil_of_two_schools_counts_in_each_but_once_when_asked_for_alone() -> None:
    two = school("I" * 10), school("/" * 10)

    enrolments, pupil = of(*two), of(*two, one_pupil=True)

    assert (enrolments.pupils, enrolments.persistent_rate, enrolments.weeks[0].pupils) == (
        2,
        0.5,
        2,
    )
    assert (pupil.pupils, pupil.persistent_rate, pupil.weeks[0].pupils) == (1, 1, 1)
    assert enrolments.absence_rate == pupil.absence_rate == pupil.weeks[0].absence_rate == 0.5


@pytest.mark.parametrize(("pupils", "hidden"), [(PUPILS_MIN - 1, True), (PUPILS_MIN, False)])
def test_figures_of_fewer_than_ten_pupils_are_null(pupils: int, hidden: bool) -> None:
    figures = of(school(*["I/"] * pupils), pupils_min=PUPILS_MIN)

    assert figures.suppressed is hidden
    for part in (figures, figures.weeks[0], figures.terms[0], figures.terms[0].year_to_date):
        values = part.model_dump(include=set(Span.model_fields) & set(type(part).model_fields))
        assert [value is None for value in values.values()] == [hidden] * len(values)


def test_a_week_of_few_is_hidden_although_the_whole_is_shown() -> None:
    figures = of(school(*["/" * 10] * 9 + ["/" * 10 + "I"]), pupils_min=PUPILS_MIN)

    assert figures.suppressed
    assert [week.pupils for week in figures.weeks] == [10, None]
    assert figures.weeks[1].absence_rate_to_date is None
    assert figures.pupils == 10


def test_nobody_is_not_few() -> None:
    for nobody in (of(pupils_min=PUPILS_MIN), of(school("D" * 4), pupils_min=PUPILS_MIN)):
        assert (nobody.suppressed, nobody.pupils, nobody.absence_rate) == (False, 0, None)
        assert (nobody.weeks, nobody.terms) == ([], [])
