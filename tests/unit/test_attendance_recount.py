"""Attendance counted with arrays is what a plain recount gives, whatever the marks."""

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.codes import BY_NUMBER
from libs.common.school_day import academic_year_of
from services.risk.attendance_counts import tally
from tests.unit.attendance import marks, of


class Sat(NamedTuple):
    """One session that a pupil was, or was not, at."""

    day: date
    pupil: tuple[int, int]
    """Which school's, and which of its pupils."""
    code: str


PUPILS = st.lists(st.text("///LIMNOUGCDX4 ", max_size=40), max_size=4)
START = st.dates(date(2026, 11, 1), date(2027, 9, 1)).map(lambda d: d - timedelta(d.weekday()))
SCHOOLS = st.lists(st.tuples(PUPILS, START), max_size=3)


def sat(schools: list[tuple[list[str], date]]) -> list[Sat]:
    """Return every session of every pupil, one by one."""
    found = []
    for at, (pupils, start) in enumerate(schools):
        ordinals, codes = marks(pupils, start)
        for place, ordinal in enumerate(ordinals.tolist()):
            for number, code in enumerate(codes[place].tolist()):
                if code:
                    day = date.fromordinal(ordinal // 2)
                    found.append(Sat(day, (at, number), BY_NUMBER[code].text))
    return found


MISSED = {"I": "authorised", "M": "authorised", "C": "authorised"}
MISSED |= dict.fromkeys("NOUG", "unauthorised")


def recount(sessions: list[Sat]) -> dict[str, int]:
    """Count the slow way, from the codes' meaning as guidance has it."""
    count = dict.fromkeys(("sessions_possible", "attended", "authorised", "unauthorised"), 0)
    held: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for one in sessions:
        if one.code not in {"D", "X", "Y4"}:
            count["sessions_possible"] += 1
            count[MISSED.get(one.code, "attended")] += 1
            held[one.pupil].append(one.code in MISSED)
    count["pupils"] = len(held)
    count["late"] = sum(one.code in {"L", "U"} for one in sessions)
    count["persistent"] = sum(sum(missed) / len(missed) >= 0.1 for missed in held.values())
    count["severe"] = sum(sum(missed) / len(missed) >= 0.5 for missed in held.values())
    return count


@given(SCHOOLS)
@settings(max_examples=150, deadline=None)
def test_all_figures_are_those_of_a_plain_recount(schools: list[tuple[list[str], date]]) -> None:
    figures = of(*[tally(marks(*one)) for one in schools])

    every = sat(schools)
    assert figures.model_dump(include=set(recount([]))) == recount(every)
    for week in figures.weeks:
        own = recount([s for s in every if 0 <= (s.day - week.starts_on).days < 7])
        assert week.model_dump(include=set(own)) == {k: own[k] for k in own if hasattr(week, k)}
    for term in figures.terms:
        own = recount([s for s in every if term.starts_on <= s.day <= term.ends_on])
        assert term.model_dump(include=set(own)) == own
        year = academic_year_of(term.starts_on)
        until = [s for s in every if date(year, 8, 1) <= s.day <= term.ends_on]
        assert term.year_to_date.model_dump(include=set(own)) == recount(until)


@given(SCHOOLS)
@settings(max_examples=100, deadline=None)
def test_weeks_and_terms_add_up_to_the_whole(schools: list[tuple[list[str], date]]) -> None:
    figures = of(*[tally(marks(*one)) for one in schools])

    for name in ("sessions_possible", "attended", "authorised", "unauthorised", "late"):
        whole = getattr(figures, name)
        assert whole == sum(getattr(week, name) for week in figures.weeks)
        assert whole == sum(getattr(term, name) for term in figures.terms)
