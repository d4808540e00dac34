"""The judge of detectors: what counts as true, false, repeated, known, soon and warned."""

import numpy as np
import pytest

from libs.common.codes import NUMBERS
from libs.simulator import simulate
from services.risk import baselines, cases
from services.risk.cases import Case, Rung, Spell
from services.risk.catalogue import RULES
from services.risk.trial import Score, judge

DAYS, PUPILS = 100, 6
SPELL = Spell(pupil=0, kind="sudden-change", first=40, last=60, evident=44)


def case(*spells: Spell, known: tuple[int, ...] = ()) -> Case:
    codes = np.full((2 * DAYS, PUPILS), NUMBERS["/"], np.uint8)
    for spell in spells:
        codes[2 * spell.first : 2 * spell.last + 2, spell.pupil] = NUMBERS["O"]
    is_known = np.zeros(PUPILS, np.bool_)
    is_known[list(known)] = True
    return Case(list(range(1_479_000, 1_479_000 + 2 * DAYS)), codes, is_known, list(spells))


@pytest.mark.parametrize(
    ("day", "true", "false"), [(39, 0, 1), (40, 1, 0), (60, 1, 0), (70, 1, 0), (71, 0, 1)]
)
def test_a_bell_is_true_from_the_first_day_to_ten_after_the_last(
    day: int, true: int, false: int
) -> None:
    score = judge(case(SPELL), [Rung(day, 0, "sudden-change")])

    assert (score.true, score.false) == (true, false)


def test_a_second_bell_in_an_episode_is_a_repeat_and_one_on_a_known_pupil_is_known() -> None:
    bells = [Rung(day, pupil, "lateness") for day, pupil in ((42, 0), (50, 0), (50, 1), (50, 2))]

    score = judge(case(SPELL, known=(1,)), bells)

    assert (score.true, score.repeats, score.known, score.false) == (1, 1, 1, 1)
    assert score.figures()["precision"] == 0.5
    assert score.figures()["precision, all"] == 0.25


@pytest.mark.parametrize(("day", "soon", "within_10", "within_20"),
                         [(49, 1, 1, 1), (50, 0, 1, 1), (51, 0, 0, 1), (61, 0, 0, 0)])  # fmt: skip
def test_how_soon_it_rang(day: int, soon: int, within_10: int, within_20: int) -> None:
    score = judge(case(SPELL), [Rung(day, 0, "sudden-change")])

    assert (score.soon, score.within_10, score.within_20, score.ever) == (
        soon, within_10, within_20, 1,
    )  # fmt: skip


def test_a_warning_comes_before_the_day_of_ten_percent() -> None:
    # 5 of 45 days missed are more than a tenth; 4 of 44 are less.
    assert judge(case(SPELL), [Rung(43, 0, "sudden-change")]).leads == [1]
    assert judge(case(SPELL), [Rung(44, 0, "sudden-change")]).leads == [0]


def test_scores_add_up() -> None:
    one = judge(case(SPELL), [Rung(43, 0, "sudden-change")])

    both = one + one + Score()

    assert (both.true, both.episodes, both.leads) == (2, 2, [1, 1])
    assert (both.episodes_of, both.found_of) == ({"sudden-change": 2}, {"sudden-change": 2})


def test_medical_absence_is_recognised_by_its_own_bell_and_is_no_concern() -> None:
    ill = case()._replace(medical=[SPELL._replace(kind="health-absence")])

    one = judge(ill, [Rung(43, 0, "health-absence")])
    other = judge(ill, [Rung(43, 0, "sudden-change")])

    assert (one.medical, one.recognised, one.medical_as_concern, one.false) == (1, 1, 0, 0)
    assert (other.recognised, other.medical_as_concern, other.false) == (0, 1, 1)


def test_on_a_simulated_school_the_rules_find_more_and_ring_less_than_three_days_running() -> None:
    authority = simulate(2, 2025, 2)
    ours, plain, truth = Score(), Score(), Score()
    for school in authority.schools:
        year = cases.case_of(school, authority.truth)
        ours += judge(year, cases.rules_detector(RULES)(year))
        plain += judge(year, baselines.three_days_running(year))
        truth += judge(year, baselines.knows_the_truth(year))

    assert truth.ever == truth.episodes == ours.episodes
    assert truth.false == truth.known == 0
    assert ours.ever > plain.ever
    assert ours.figures()["bells/1,000/week"] < plain.figures()["bells/1,000/week"] / 3
