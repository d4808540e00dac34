"""Two sets of rules over one book: which bells are the same, which are counted, and for whom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from libs.common.codes import numbers_of
from libs.common.school_day import Session, ordinal_of
from services.risk.backtest import NOT_KNOWN, Window, compare, compared
from services.risk.backtest_pairs import Rung, pairs_of
from services.risk.backtest_tally import Tally
from services.risk.book import Book
from services.risk.catalogue import RULES
from services.risk.enrolment import Enrolment
from services.risk.rules.mass_absence import MassAbsence
from services.risk.rules.runs import TenDaysUnauthorised
from tests.unit.books import MONDAY, school_days

CURRENT, NEW = [TenDaysUnauthorised()], [TenDaysUnauthorised(days_min=8)]
EVER = Window(date(2026, 8, 1), date(2027, 7, 31))
DAYS = school_days(MONDAY, (), 400)


def book_of(*pupils: str, cohorts: Sequence[int | None] = ()) -> Book:
    """Return a book of pupils, a character a school day: the same code in both sessions."""
    book = Book("100000", ())
    upns = [f"pupil {n}" for n in range(len(pupils))]
    for upn, cohort in zip(upns, cohorts or [None] * len(upns), strict=True):
        book.enrol(upn, Enrolment(cohort=cohort))
    for number in range(max(map(len, pupils))):
        codes = numbers_of([pupil[number : number + 1] or "/" for pupil in pupils])
        for session in Session:
            book.apply(DAYS[number], session, upns, codes)
    return book


def total(tallies: dict[str, Tally]) -> Tally:
    return sum(tallies.values(), Tally())


def rung(day: int, kind: str = "lateness", pupil: int = 0, story: bool = True) -> Rung:
    return Rung(kind, pupil, 0, ordinal_of(DAYS[day], Session.pm), day, story)


def test_a_bell_that_rings_under_both_is_sooner_and_one_under_the_new_alone_is_gained() -> None:
    book = book_of("//" + "O" * 12, "//" + "O" * 8, "/" * 14)

    tally = total(compare(book, CURRENT, NEW, EVER))

    kind = "ten-days-unauthorised"
    assert (tally.current, tally.new) == (Counter({kind: 1}), Counter({kind: 2}))
    assert (tally.gained, tally.lost) == (Counter({kind: 1}), Counter())
    assert tally.sooner == Counter({(kind, 2): 1})


def test_turned_round_what_was_gained_is_lost_and_what_was_sooner_is_later() -> None:
    book = book_of("//" + "O" * 12, "//" + "O" * 8, "/" * 14)

    tally = total(compare(book, NEW, CURRENT, EVER))

    assert (tally.gained.total(), tally.lost.total()) == (0, 1)
    assert tally.sooner == Counter({("ten-days-unauthorised", -2): 1})


@pytest.mark.parametrize(
    ("first", "last", "current", "new", "gained"),
    [
        (0, 20, 1, 1, 0),
        (12, 20, 0, 0, 0),
        (11, 11, 1, 0, 0),  # raised on the twelfth day under the current rules, the tenth under new
        (9, 9, 0, 1, 1),  # on the last day looked at the current rules have not rung yet
        (10, 10, 0, 0, 0),
    ],
)
def test_bells_are_counted_that_were_raised_within_the_days(
    first: int, last: int, current: int, new: int, gained: int
) -> None:
    book = book_of("//" + "O" * 13 + "/" * 10)

    tally = total(compare(book, CURRENT, NEW, Window(DAYS[first], DAYS[last])))

    counted = (tally.current.total(), tally.new.total(), tally.gained.total(), tally.lost.total())
    assert counted == (current, new, gained, 0)


def test_state_is_warmed_with_the_marks_before_the_days() -> None:
    book = book_of("O" * 9 + "O" * 3)

    tally = total(compare(book, CURRENT, NEW, Window(DAYS[9], DAYS[11])))

    assert (tally.current.total(), tally.new.total(), tally.lost.total()) == (1, 0, 0)


def test_burden_is_by_the_weeks_in_which_pupils_had_marks_within_the_days() -> None:
    book = book_of("//" + "O" * 12, "/" * 14, "/" * 14, "/" * 14)

    tally = total(compare(book, CURRENT, NEW, Window(DAYS[5], DAYS[14])))

    assert tally.pupil_sessions == 4 * 9 * 2
    assert tally.figures()["current_burden"] == pytest.approx(1000 / 7.2)


def test_bells_and_weeks_are_told_by_year_group_and_the_schools_own_apart() -> None:
    away = "/" * 25 + "I" * 4
    book = book_of(*[away] * 40, cohorts=[2014] * 20 + [2020] * 10 + [2021] * 5 + [None] * 5)
    later = [MassAbsence()]

    tallies = compare(book, [], [*NEW, *later], EVER)

    assert set(tallies) == {"Year 7", "Year 1", "Reception", NOT_KNOWN, "the school itself"}
    assert tallies["Year 7"].pupil_sessions == 20 * 29 * 2
    assert tallies["the school itself"].gained == Counter({"mass-absence": 1})
    assert tallies["the school itself"].figures()["new_burden"] is None


def test_who_came_to_ten_percent_is_told_with_the_days_since_the_first_bell() -> None:
    # 12 days missed are a tenth of 120; a bell after 8 of them under the new rules, and after 10.
    crossing = "/" * 107 + "O" * 12 + "O" + "/" * 1
    since_september = "O" * 20 + "/" * 101
    came_down_again = "/" * 20 + "O" * 4 + "/" * 97
    book = book_of(crossing, since_september, came_down_again)

    tally = total(compare(book, CURRENT, NEW, EVER))

    assert tally.crossing == 1
    day = 107 + 11  # the first day on which 10 % of the days up to it are missed
    assert tally.warned_current == Counter({day - (107 + 9): 1})
    assert tally.warned_new == Counter({day - (107 + 7): 1})


def test_a_story_is_the_same_within_twenty_school_days_whatever_its_kind() -> None:
    current = [rung(10), rung(50), rung(90)]
    new = [rung(30, "relapse"), rung(71), rung(89)]

    pairs = list(pairs_of(current, new))

    assert [(was and was.day, now and now.day) for was, now in pairs] == [
        (10, 30), (50, None), (90, 71), (None, 89),
    ]  # fmt: skip


def test_a_fixed_limit_is_the_same_bell_however_much_sooner_and_pupils_are_kept_apart() -> None:
    current = [rung(90, story=False), rung(5, pupil=1)]
    new = [rung(10, story=False), rung(5, pupil=2)]

    pairs = list(pairs_of(current, new))

    assert pairs == [(current[0], new[0]), (current[1], None), (None, new[1])]


def test_a_story_under_another_kind_is_told_as_renamed_and_not_as_lost() -> None:
    tally = Tally()

    tally.note((rung(10), rung(12, "relapse")), lambda _: True)

    assert (tally.renamed["lateness"], tally.lost.total(), tally.gained.total()) == (1, 0, 0)
    assert tally.figures("lateness")["days_sooner"] == -2


def test_only_rules_that_differ_are_compared_and_emerging_ones_together() -> None:
    exact = [replace(r, days_min=8) if r.kind == "ten-days-unauthorised" else r for r in RULES]  # type: ignore[type-var]
    emerging = [replace(r, needed=9) if r.kind == "lateness" else r for r in RULES]  # type: ignore[type-var]

    assert compared(RULES, RULES) == ([], [])
    assert [len(side) for side in compared(RULES, exact)] == [1, 1]
    assert [rule.kind for rule in compared(RULES, emerging)[1]] == [
        rule.kind for rule in RULES if rule.emerging
    ]
    without = [rule for rule in RULES if rule.kind != "mass-absence"]
    assert compared(without, RULES) == ([], [MassAbsence()])
