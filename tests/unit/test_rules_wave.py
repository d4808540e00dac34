"""A real wave, that of December 2022: it rings for the school, and for no pupil."""

from functools import cache

import numpy as np
import pytest

from libs.common.codes import ABSENT, Codes
from libs.common.school_day import day_of
from libs.simulator.dfe import Phase
from libs.simulator.wave import WAVE_FROM, WEEKS, autumn_2022
from services.risk.cases import case_of
from services.risk.catalogue import RULES
from services.risk.fold import SCHOOL, column_of
from services.risk.progress import Fold, Progress

WATCHED = [rule for rule in RULES if rule.emerging or rule.kind == "mass-absence"]
FOLD = Fold(WATCHED)
SEEDS = (1, 2, 3)


@cache
def autumns() -> list[tuple[Phase, list[int], Codes, Progress]]:
    """Return of each school its phase, sessions, codes, and what rang in its autumn."""
    found = []
    for seed in SEEDS:
        for school in autumn_2022(seed).schools:
            case = case_of(school, ())
            pupils = case.codes.shape[1]
            progress = FOLD.begin(pupils)
            for number, ordinal in enumerate(case.ordinals):
                column = column_of(
                    case.codes[number], ordinal=ordinal, school_day=number // 2,
                    school_week=number // 10, academic_year=2022,
                    worker=np.zeros(pupils, np.uint8), year_groups=case.year_groups,
                )  # fmt: skip
                progress = FOLD.advance(progress, column)
            found.append((school.phase, case.ordinals, case.codes, progress))
    return found


def test_the_schools_weeks_are_those_that_the_department_published() -> None:
    for phase, ordinals, codes, _ in autumns():
        weeks = np.array([day_of(ordinal).isocalendar().week for ordinal in ordinals])
        away = ABSENT[codes]
        for week in WEEKS[phase]:
            simulated = 100 * away[weeks == week.number].mean()
            assert simulated == pytest.approx(week.absence, abs=1.0)


def test_the_wave_rings_for_every_school_in_its_weeks() -> None:
    for phase, _, _, progress in autumns():
        rung = dict(zip(WATCHED, progress.episodes, strict=True))
        (mass,) = [rung[rule] for rule in WATCHED if rule.kind == "mass-absence"]
        assert {pupil for pupil, _ in mass} == {SCHOOL}, phase
        began = {day_of(episode.since).isocalendar().week for episode in mass.values()}
        assert min(began) >= WAVE_FROM


def test_the_wave_rings_for_no_pupil() -> None:
    for _, _, _, progress in autumns():
        for rule, rung in zip(WATCHED, progress.episodes, strict=True):
            assert [pupil for pupil, _ in rung if pupil != SCHOOL] == [], rule.kind
