"""What happens to a whole school rings the school's bell, and no pupil's."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from libs.common.codes import NO_MARK, NUMBERS, Codes
from libs.common.school_day import Session, ordinal_of
from libs.simulator import School, simulate
from services.risk.catalogue import RULES
from services.risk.fold import SCHOOL, column_of
from services.risk.progress import Fold

WATCHED = [rule for rule in RULES if rule.emerging or rule.kind == "mass-absence"]
FOLD = Fold(WATCHED)
DAY = 105
AT_THE_BAR = 1
"""Of 841 pupils one may stand so close to the bar that a day's change in the school tells."""
Event = Callable[[Codes, np.random.Generator], Codes]


@cache
def school() -> School:
    return simulate(11, 2025, 2).schools[1]


Rung = dict[str, list[tuple[int, int]]]


def rung(codes: Codes) -> Rung:
    """Return for each kind the pupils (or `SCHOOL`) that it rings for, and on which day."""
    progress = FOLD.begin(codes.shape[1])
    days = [(day, session) for day in school().opening.days for session in Session]
    place = {ordinal_of(day, session): number // 2 for number, (day, session) in enumerate(days)}
    cohorts = [int(pupil.year_group.replace("R", "0")) + 1 for pupil in school().pupils]
    for number, (day, session) in enumerate(days):
        column = column_of(
            codes[number], ordinal=ordinal_of(day, session), school_day=number // 2,
            school_week=number // 10, academic_year=2025,
            worker=np.zeros(codes.shape[1], np.uint8), year_groups=np.array(cohorts, np.uint8),
        )  # fmt: skip
        progress = FOLD.advance(progress, column)
    return {
        rule.kind: [(pupil, place[episode.since]) for (pupil, _), episode in found.items()]
        for rule, found in zip(WATCHED, progress.episodes, strict=True)
    }


def pupils(found: Rung) -> set[int]:
    """Return the pupils who ring in the four weeks from the event on."""
    return {
        pupil
        for kind in found.values()
        for pupil, day in kind
        if pupil != SCHOOL and DAY <= day < DAY + 20
    }


def mass_days(found: Rung) -> set[int]:
    """Return on which days from the event on the school's bell begins to ring."""
    return {day for _, day in found["mass-absence"] if DAY <= day < DAY + 20}


@cache
def usually() -> Rung:
    """Return what rings at any time without the event."""
    return rung(school().year.final)


def usual() -> set[int]:
    """Return the pupils who ring at any time without the event."""
    return {pupil for kind in usually().values() for pupil, _ in kind}


def away(codes: Codes, rng: np.random.Generator, share: float, code: str, day: int = DAY) -> Codes:
    """Let this share of those in school be away for a day."""
    chosen = rng.random(codes.shape[1]) < share
    for session in (2 * day, 2 * day + 1):
        here = chosen & np.isin(codes[session], [NUMBERS["/"], NUMBERS["\\"]])
        codes[session, here] = NUMBERS[code]
    return codes


def snow(codes: Codes, rng: np.random.Generator) -> Codes:
    return away(away(codes, rng, 0.6, "O"), rng, 0.3, "O", DAY + 1)


def shut_for_some(codes: Codes, rng: np.random.Generator) -> Codes:
    codes[2 * DAY : 2 * DAY + 2, rng.random(codes.shape[1]) < 0.5] = NUMBERS["Y2"]
    return codes


def strike(codes: Codes, rng: np.random.Generator) -> Codes:
    for day in range(DAY, DAY + 2):
        away(codes, rng, 0.4, "O", day)
    return codes


def before_half_term(codes: Codes, rng: np.random.Generator) -> Codes:
    return away(codes, rng, 0.2, "O", DAY)


def inset(codes: Codes, rng: np.random.Generator) -> Codes:
    codes[2 * DAY : 2 * DAY + 2] = NO_MARK
    return codes


def trip_of_a_year_group(codes: Codes, rng: np.random.Generator) -> Codes:
    those = [n for n, pupil in enumerate(school().pupils) if pupil.year_group == "9"]
    codes[2 * DAY : 2 * DAY + 6, those] = NUMBERS["V"]
    return codes


def flu(codes: Codes, rng: np.random.Generator) -> Codes:
    ill = np.zeros(codes.shape[1], np.bool_)
    for day in range(DAY, DAY + 15):
        height = 0.08 * (1 - abs(day - DAY - 7) / 8)
        ill = np.where(ill, rng.random(len(ill)) < 0.65, rng.random(len(ill)) < height)
        for session in (2 * day, 2 * day + 1):
            here = ill & np.isin(codes[session], [NUMBERS["/"], NUMBERS["\\"]])
            codes[session, here] = NUMBERS["I"]
    return codes


@pytest.mark.parametrize("event", [snow, strike, before_half_term, flu], ids=lambda e: e.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_mass_event_rings_the_schools_bell_and_no_pupils(event: Event, seed: int) -> None:
    found = rung(event(school().year.final.copy(), np.random.default_rng(seed)))

    assert mass_days(found)
    assert len(pupils(found) - usual()) <= AT_THE_BAR


@pytest.mark.parametrize("event", [shut_for_some, inset, trip_of_a_year_group],
                         ids=lambda e: e.__name__)  # fmt: skip
def test_what_is_no_absence_rings_nothing(event: Event) -> None:
    found = rung(event(school().year.final.copy(), np.random.default_rng(0)))

    assert mass_days(found) == set()
    assert len(pupils(found) - usual()) <= AT_THE_BAR


def test_a_year_without_absence_rings_nothing() -> None:
    codes = np.where(school().year.final == NO_MARK, NO_MARK, NUMBERS["/"]).astype(np.uint8)

    assert not any(rung(codes).values())
