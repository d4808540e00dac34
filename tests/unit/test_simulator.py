"""The simulator's year is lawful, the same each time, and like England's in its figures."""

from datetime import date
from hashlib import sha256

import pytest

from libs.common.codes import CODES, NO_MARK, NUMBERS, in_use_on
from libs.common.school_day import Session
from libs.simulator import Authority, Register, School, simulate
from libs.simulator.calendar import easter, terms_of
from libs.simulator.dfe import PUBLISHED_ALL
from libs.simulator.figures import describe, table
from services.ingest.upns import well_formed

YEAR = (date(2026, 8, 1), date(2027, 7, 31))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return simulate(seed=7, academic_year=2026, schools=10)


@pytest.fixture(scope="module")
def figures(authority: Authority) -> dict[str, float]:
    return describe(authority)


@pytest.fixture(scope="module")
def secondary(authority: Authority) -> School:
    return next(s for s in authority.schools if s.phase == "secondary")


@pytest.fixture(scope="module")
def registers(secondary: School) -> list[Register]:
    return list(secondary.registers(*YEAR))


def digest(authority: Authority) -> str:
    told = sha256(repr((authority.truth, authority.involvements)).encode())
    for school in authority.schools:
        told.update(repr((school.urn, school.name, school.roll, school.calendar)).encode())
        told.update(repr(list(school.registers(*YEAR))).encode())
    return told.hexdigest()


def test_the_same_seed_gives_the_same_year_and_another_seed_another() -> None:
    once, again, other = (simulate(seed, 2026, schools=2) for seed in (7, 7, 8))

    assert digest(once) == digest(again)
    assert digest(once) != digest(other)


@pytest.mark.parametrize(
    ("figure", "tolerance"),
    [
        ("absence", 0.5), ("absence_primary", 0.5), ("absence_secondary", 0.8),
        ("illness", 0.3), ("appointment", 0.05), ("holiday", 0.12), ("unauthorised", 0.35),
        ("no_reason", 0.025), ("late", 0.25), ("after_close", 0.05), ("persistent", 2.0),
        ("persistent_primary", 2.5), ("persistent_secondary", 2.5), ("severe", 0.6),
        ("friday", 5.0),
    ],
)  # fmt: skip
def test_a_figure_is_near_the_published_one(
    figures: dict[str, float], figure: str, tolerance: float
) -> None:
    assert figures[figure] == pytest.approx(PUBLISHED_ALL[figure], abs=tolerance)


def test_one_mark_in_a_hundred_begins_without_a_reason(figures: dict[str, float]) -> None:
    assert figures["no_reason_first"] == pytest.approx(1.0, abs=0.25)


def test_children_with_free_meals_are_persistently_absent_twice_as_often(
    figures: dict[str, float],
) -> None:
    ratio = figures["persistent_free_meals"] / figures["persistent_others"]

    assert 1.6 < ratio < 3.2  # DfE, absence bands 2022/23: 36.5 against 15.6 %


def test_the_table_has_a_line_for_every_published_figure(authority: Authority) -> None:
    lines = {line.split()[0] for line in table(authority).splitlines()}

    assert set(PUBLISHED_ALL) <= lines


def test_every_upn_is_well_formed_and_nobody_elses(authority: Authority) -> None:
    upns = [pupil["upn"] for school in authority.schools for pupil in school.roll]

    assert well_formed(upns).all()
    assert len(set(upns)) == len(upns)


def test_a_pupils_age_fits_the_year_group(authority: Authority) -> None:
    for pupil in (pupil for school in authority.schools for pupil in school.roll):
        year = 0 if pupil["year_group"] == "R" else int(pupil["year_group"])
        born = date.fromisoformat(pupil["date_of_birth"])

        assert date(2021 - year, 9, 1) <= born <= date(2022 - year, 8, 31)


def test_siblings_share_a_household_and_a_name(authority: Authority) -> None:
    names: dict[str, list[str]] = {}
    for pupil in (pupil for school in authority.schools for pupil in school.roll):
        names.setdefault(pupil["household"], []).append(pupil["family_name"])

    assert all(len(set(family)) == 1 for family in names.values())
    assert sum(len(family) > 1 for family in names.values()) > 100


def test_three_children_in_a_hundred_have_a_worker(authority: Authority) -> None:
    pupils = sum(len(school.roll) for school in authority.schools)

    assert 0.02 < len(authority.involvements) / pupils < 0.04
    assert {one["role"] for [one] in authority.involvements.values()} >= {"social_worker"}


@pytest.mark.parametrize("year", range(2020, 2040))
def test_every_year_has_its_half_terms_in_order(year: int) -> None:
    terms = terms_of(year)
    ends = [day for term in terms for day in term]

    assert len(terms) == 6
    assert ends == sorted(ends)
    assert not any(term.starts_on <= easter(year + 1) <= term.ends_on for term in terms)
    assert terms[-1].ends_on <= date(year + 1, 7, 31)


def test_a_school_is_open_on_190_days(authority: Authority) -> None:
    assert {len(school.opening.days) for school in authority.schools} == {190}


def test_no_register_is_for_a_weekend_or_a_closed_session(authority: Authority) -> None:
    closures = 0
    for school in authority.schools:
        closed = {(c["date"], c.get("session")) for c in school.calendar["closed"]}
        terms = school.calendar["terms"]
        closures += sum(session is not None for _, session in closed)
        for day, session in {(r.day, r.session) for r in school.registers(*YEAR)}:
            assert day.weekday() < 5
            assert any(t["starts_on"] <= str(day) <= t["ends_on"] for t in terms)
            assert not {(str(day), None), (str(day), str(session))} & closed

    assert closures > 0


def test_every_code_is_in_use_on_its_day(registers: list[Register]) -> None:
    for register in registers:
        lawful = in_use_on(register.day)

        assert all(lawful[NUMBERS[mark["code"]]] for mark in register.marks)


def test_a_stroke_is_the_mornings_and_a_backstroke_the_afternoons(
    registers: list[Register],
) -> None:
    for register in registers:
        codes = {mark["code"] for mark in register.marks}

        assert ("\\" if register.session is Session.am else "/") not in codes


def test_minutes_late_come_with_late_codes_and_only_with_them(registers: list[Register]) -> None:
    late = {code.text for code in CODES if code.late}

    for mark in (mark for register in registers for mark in register.marks):
        assert ("minutes_late" in mark) == (mark["code"] in late)
        assert 1 <= mark.get("minutes_late", 1) <= 60


def test_corrections_come_later_and_lead_to_the_final_marks(
    secondary: School, registers: list[Register]
) -> None:
    told: dict[tuple[date, str], dict[str, str]] = {}
    for register in registers:
        held = told.setdefault((register.day, register.session), {})
        for mark in register.marks:
            if register.sent_on > register.day:
                assert held[mark["upn"]] == "N"
                assert mark["code"] in {"I", "O"}
            held[mark["upn"]] = mark["code"]

    for place, day in enumerate(secondary.opening.days):
        for half, session in enumerate(Session):
            row = secondary.year.final[2 * place + half].tolist()
            final = zip(secondary.pupils, row, strict=True)
            wanted = {pupil.upn: number for pupil, number in final if number != NO_MARK}
            held = told.get((day, session), {})
            assert {upn: NUMBERS[code] for upn, code in held.items()} == wanted


def test_registers_come_in_order_and_day_by_day_are_the_whole_year(
    secondary: School, registers: list[Register]
) -> None:
    days = sorted({register.sent_on for register in registers})

    daily = [register for day in days for register in secondary.registers(day, day)]

    assert daily == registers


def test_nobody_has_a_mark_before_they_came(secondary: School, registers: list[Register]) -> None:
    came = {pupil["upn"]: pupil["entered_on"] for pupil in secondary.roll}

    assert max(came.values()) > "2026-09-30"
    for register in registers:
        assert all(came[mark["upn"]] <= str(register.day) for mark in register.marks)


def test_every_kind_of_episode_is_in_the_truth(authority: Authority) -> None:
    assert {episode.kind for episode in authority.truth} == {
        "sudden-change", "weekday-pattern", "leaves-after-registration", "lateness",
        "unexplained-absence", "health-absence", "ten-days-unauthorised",
    }  # fmt: skip


def test_an_episode_shows_in_the_marks_from_its_onset(authority: Authority) -> None:
    for school in authority.schools:
        columns = {pupil.upn: column for column, pupil in enumerate(school.pupils)}
        for episode in (one for one in authority.truth if one.urn == school.urn):
            place = school.opening.days.index(episode.onset)
            codes = school.year.final[2 * place : 2 * place + 2, columns[episode.upn]]

            assert not {"/", "\\"} >= {CODES[number - 1].text for number in codes.tolist()}


def test_a_child_with_a_worker_goes_missing_without_a_reason_at_first(
    authority: Authority,
) -> None:
    missing = [one for one in authority.truth if one.kind == "unexplained-absence"]
    school = next(s for s in authority.schools if s.urn == missing[0].urn)
    column = [pupil.upn for pupil in school.pupils].index(missing[0].upn)
    place = school.opening.days.index(missing[0].onset)

    assert NUMBERS["N"] in school.year.first[2 * place : 2 * place + 2, column]
    assert {one.upn for one in missing} <= set(authority.involvements)
