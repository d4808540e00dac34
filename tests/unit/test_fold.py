"""The fold: what holds of every rule, whatever the marks."""

import copy
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.catalogue import RULES
from services.risk.fold import PupilRule
from services.risk.looks import SHIPPED
from services.risk.progress import Fold
from tests.unit.books import Marks, columns, fold

FOLD = Fold(RULES)
ALONE = [r for r in RULES if r.kind in {"persistent-absence", "penalty-threshold", "lateness"}]
PUPILS = st.lists(st.text("/LIMNOUGCD4 ", min_size=60, max_size=60), min_size=1, max_size=4)


@given(PUPILS, st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_going_on_from_a_snapshot_equals_folding_at_once(pupils: list[str], at: int) -> None:
    marks = Marks(pupils, worker=1)
    progress = FOLD.begin(len(pupils))
    for column in columns(marks)[:at]:
        progress = FOLD.advance(progress, column)
    snapshot = copy.deepcopy(progress)
    for column in columns(marks)[at:]:
        progress = FOLD.advance(progress, column)

    again = snapshot
    for column in columns(marks)[at:]:
        again = FOLD.advance(again, column)

    assert progress.episodes == fold(RULES, marks)[-1].episodes == again.episodes


@given(PUPILS)
@settings(max_examples=25, deadline=None)
def test_what_exact_rules_say_of_a_pupil_does_not_depend_on_the_others(pupils: list[str]) -> None:
    exact = [rule for rule in RULES if not rule.emerging]
    together = fold(exact, Marks(pupils, worker=1))[-1].episodes
    alone = fold(exact, Marks(pupils[:1], worker=1))[-1].episodes

    assert [{k: e for k, e in found.items() if k[0] == 0} for found in together] == list(alone)


@given(PUPILS, st.dates(date(2027, 5, 10), date(2027, 9, 6)))
@settings(max_examples=15, deadline=None)
def test_episodes_say_what_rules_on_limits_say(pupils: list[str], start: date) -> None:
    limits = [rule for rule in SHIPPED if not rule.emerging]
    for progress in fold(limits, Marks(pupils, start)):
        for rule, rung in zip(limits, progress.ringing, strict=True):
            looked, school = progress.looked, progress.looked.school[0]
            loop = looked.days if rule.each_day else looked.sessions
            year = school["year_of_day" if rule.each_day else "academic_year"] or 2026
            assert all(map(np.array_equal, rung, rule.rung(loop["rules"][rule.kind], int(year))))


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.kind)
@given(PUPILS)
@settings(max_examples=10, deadline=None)
def test_a_rule_in_a_loop_of_its_own_rings_as_in_the_shipped_one(
    rule: PupilRule, pupils: list[str]
) -> None:
    another = copy.copy(rule)
    object.__setattr__(another, "kind", "another-kind")

    (shipped,), (alone,) = (fold([one], Marks(pupils))[-1].episodes for one in (rule, another))

    assert shipped == alone
