"""The Department's files as rows, with old and new column names, and lines that are at fault."""

from datetime import date
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.published import MISSING, Row, Unloadable, rows_of
from services.risk.published_lines import place
from tests.unit.department import ENGLAND, EXACT, LINE, REGION, WEEK, YEAR


def read(*lines: str) -> list[Row]:
    return list(rows_of(StringIO("\n".join(lines) + "\n", newline="")))


def fault(*lines: str) -> str:
    with pytest.raises(Unloadable) as found:
        read(*lines)
    return str(found.value)


def test_a_line_of_the_year_to_date() -> None:
    (row,) = read(YEAR, LINE)

    assert row == {
        "period": "year", "starts_on": date(2025, 8, 1), "academic_year": 2025,
        "level": "la", "area": "E08000025", "la": "330", "region": "E12000005",
        "name": "Birmingham", "phase": "secondary",
        "absence_rate": 0.0925, "authorised_rate": 0.0605, "unauthorised_rate": 0.032,
        "persistent_rate": 0.255, "severe_rate": None,
    }  # fmt: skip


def test_a_line_of_a_week_with_the_old_column_name() -> None:
    (row,) = read(WEEK, f"2023,Week 1,{ENGLAND},Total,7.5,5,2.5")

    assert (row["period"], row["starts_on"], row["academic_year"]) == (
        "week",
        date(2023, 1, 2),
        2022,
    )
    assert (row["level"], row["area"], row["la"], row["region"]) == (
        "national", "E92000001", None, None,
    )  # fmt: skip
    assert (row["name"], row["phase"], row["persistent_rate"]) == ("England", "total", None)


def test_a_region_is_its_own() -> None:
    (row,) = read(WEEK, f"2022,Week 37,{REGION},Primary,7.5,5,2.5")

    assert (row["area"], row["region"], row["name"]) == ("E12000005", "E12000005", "West Midlands")


def test_the_statistics_releases_names_of_persistent_and_severe() -> None:
    line = LINE.replace("25.5", "25.5,4.25")

    (row,) = read(EXACT, line)

    assert (row["persistent_rate"], row["severe_rate"]) == (0.255, 0.0425)


@pytest.mark.parametrize("symbol", sorted(MISSING))
def test_what_the_department_keeps_back_is_null(symbol: str) -> None:
    (row,) = read(YEAR, LINE.replace("9.25,6.05,3.2,25.5", ",".join([symbol] * 4)))

    rates = [value for name, value in row.items() if name.endswith("_rate")]
    assert rates == [None] * 5


@pytest.mark.parametrize(
    ("was", "becomes", "column"),
    [
        ("9.25", "925", "overall_absence_perc"),
        ("9.25", "-1", "overall_absence_perc"),
        ("9.25", "nan", "overall_absence_perc"),
        ("25.5", "many", "pa_perc"),
        ("9.25", "19.25", "add up"),
        ("Secondary", "Nursery", "education_phase"),
        ("Local authority", "Ward", "geographic_level"),
        ("E08000025", "W08000025", "new_la_code"),
        ("E08000025", "E0800002", "new_la_code"),
        ("E12000005", "z", "region_code"),
        ("330", "33", "old_la_code"),
        ("330", "33\u0663", "old_la_code"),
        ("202526", "202527", "time_period"),
        ("202526", "2025", "time_period"),
        ("Academic year", "Autumn term", "time_identifier"),
        (",25.5", "", "cells"),
        ("25.5", "25.5,1", "cells"),
    ],
)
def test_a_bad_line_is_named_with_its_column(was: str, becomes: str, column: str) -> None:
    told = fault(YEAR, LINE.replace("330", "331"), LINE.replace(was, becomes))

    assert told.startswith("line 3: ")
    assert column in told


def test_week_53_of_a_year_without_one_is_a_fault() -> None:
    assert "Week 53" in fault(WEEK, f"2022,Week 53,{ENGLAND},Total,7.5,5,2.5")


def test_the_same_figures_twice_in_a_file_are_a_fault() -> None:
    assert fault(YEAR, LINE, LINE) == "line 3: the same area, phase and time as line 2"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((), "columns are missing: time_period"),
        (("a,b", "1,2"), "columns are missing: time_period"),
        ((YEAR.replace("education_phase", "sector"), LINE), "education_phase or school_type"),
        ((YEAR.replace("enrolments", "attendance_date"), LINE), "single days"),
        ((YEAR,), "no line of figures"),
        ((YEAR, '"' + LINE), "line 2"),
    ],
)
def test_what_is_no_such_file_is_refused(lines: tuple[str, ...], why: str) -> None:
    assert why in fault(*lines)


def test_where_a_rate_lies_among_others() -> None:
    found = place(0.07, [0.05, 0.06, 0.07, 0.09])

    assert found is not None
    assert (found.rank, found.authorities) == (3, 5)
    assert (found.lower_quartile, found.median, found.upper_quartile) == (0.0575, 0.065, 0.075)
    assert found.from_median == 0.005


def test_there_is_no_place_without_a_rate_or_without_others() -> None:
    assert place(None, [0.05]) is None
    assert place(0.05, []) is None


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1))
def test_a_place_is_among_those_counted(rate: float, others: list[float]) -> None:
    found = place(rate, others)

    assert found is not None
    assert 1 <= found.rank <= found.authorities == len(others) + 1
    assert found.lower_quartile <= found.median <= found.upper_quartile
    assert (found.rank == 1) == (rate <= min(others))
