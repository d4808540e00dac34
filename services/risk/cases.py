"""What rules are tried on: made-up years of schools with their truth, and bells rung in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, LATE, POSSIBLE, Codes
from libs.common.school_day import Session, academic_year_of, day_of, ordinal_of
from libs.simulator import Episode, School
from services.risk.fold import Rule, column_of
from services.risk.progress import Fold

SEPTEMBER_SESSIONS = 60
KNOWN_FROM = 0.1
EVIDENT_SESSIONS = 4
MEDICAL = "health-absence"
NOT_CONCERNS = frozenset({MEDICAL, "unexplained-absence"})
"""Kinds of episode that are no emerging concern: one has its own route, one its own rule."""


class Spell(NamedTuple):
    """An episode, in days of the case."""

    pupil: int
    kind: str
    first: int
    last: int
    evident: int


class Case(NamedTuple):
    """One school's year. T days, P pupils."""

    ordinals: list[int]
    """Of its sessions, two a day, shape (2T,)."""
    codes: Codes
    """Shape (2T, P)."""
    known: NDArray[np.bool_]
    """Pupils often away from September on, shape (P,)."""
    spells: list[Spell]
    medical: Sequence[Spell] = ()
    """Long illnesses, which are no emerging concern."""
    year_groups: NDArray[np.uint8] | None = None
    """As in `Column`, shape (P,)."""
    groups: Mapping[str, NDArray[np.bool_]] = {}
    """Pupils of each group that fairness is told for, shape (P,)."""


class Rung(NamedTuple):
    """A bell: an emerging one, or one for medical absence."""

    day: int
    pupil: int
    kind: str


Detector = Callable[[Case], list[Rung]]


def case_of(school: School, truth: Sequence[Episode]) -> Case:
    """Return a simulated school's year as it stands in the end, with its episodes."""
    days = school.opening.days
    codes = school.year.final
    place = {day: number for number, day in enumerate(days)}
    pupils = {pupil.upn: number for number, pupil in enumerate(school.pupils)}
    found = (
        _spell(codes, pupils[one.upn], one.kind, place[one.onset], place[one.until])
        for one in truth
        if one.urn == school.urn
    )
    spells = [spell for spell in found if spell is not None]
    absent, possible = ABSENT[codes], POSSIBLE[codes]
    early = _rate(absent[:SEPTEMBER_SESSIONS], possible[:SEPTEMBER_SESSIONS]) >= KNOWN_FROM
    known = early & (_rate(absent, possible) >= KNOWN_FROM)
    ordinals = [ordinal_of(day, half) for day in days for half in Session]
    return Case(
        ordinals,
        codes,
        known,
        [spell for spell in spells if spell.kind not in NOT_CONCERNS],
        [spell for spell in spells if spell.kind == MEDICAL],
        np.array([academic_year_of(p.date_of_birth) % 31 + 1 for p in school.pupils], np.uint8),
        _groups_of(school),
    )


def _groups_of(school: School) -> dict[str, NDArray[np.bool_]]:
    free_meals = np.array([pupil.free_meals for pupil in school.pupils])
    years = np.array([pupil.year_group for pupil in school.pupils])
    everybody = np.ones(len(years), np.bool_)
    return {
        school.phase: everybody,
        "free school meals": free_meals,
        "no free school meals": ~free_meals,
        **{f"year {year}": years == year for year in sorted(set(years.tolist()))},
    }


def _spell(codes: Codes, pupil: int, kind: str, first: int, last: int) -> Spell | None:
    marks = codes[2 * first : 2 * last + 2, pupil]
    sessions = np.flatnonzero(ABSENT[marks] | LATE[marks])
    if len(sessions) < EVIDENT_SESSIONS:  # too little happened for anybody to see
        return None
    evident = first + int(sessions[EVIDENT_SESSIONS - 1]) // 2
    return Spell(pupil, kind, first, last, evident)


def _rate(absent: NDArray[np.bool_], possible: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(absent.sum(axis=0) / np.maximum(1, possible.sum(axis=0)))


def rules_detector(rules: Sequence[Rule]) -> Detector:
    """Return the detector that these rules' emerging ones are."""
    chosen = [rule for rule in rules if rule.emerging or rule.kind == MEDICAL]
    fold = Fold(chosen)

    def rung_in(case: Case) -> list[Rung]:
        pupils = case.codes.shape[1]
        progress = fold.begin(pupils)
        rung: list[Rung] = []
        for number, ordinal in enumerate(case.ordinals):
            column = column_of(
                case.codes[number],
                ordinal=ordinal,
                school_day=number // 2,
                school_week=number // 10,
                academic_year=academic_year_of(day_of(ordinal)),
                worker=np.zeros(pupils, np.uint8),
                year_groups=case.year_groups,
            )
            after = fold.advance(progress, column)
            for rule, was, now in zip(chosen, progress.episodes, after.episodes, strict=True):
                if was is not now:
                    rung += [Rung(number // 2, p, rule.kind) for p, _ in now.keys() - was.keys()]
            progress = after
        return rung

    return rung_in
