"""The fold: what holds of every rule, whatever the marks."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.catalogue import RULES
from services.risk.fold import advance, begin
from tests.unit.books import Marks, columns, fold

PUPILS = st.lists(st.text("/LIMNOUGCD4 ", min_size=60, max_size=60), min_size=1, max_size=4)


@given(PUPILS, st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_going_on_from_a_snapshot_equals_folding_at_once(pupils: list[str], at: int) -> None:
    marks = Marks(pupils, worker=1)
    progress = begin(RULES, len(pupils))
    for column in columns(marks)[:at]:
        progress = advance(RULES, progress, column)
    snapshot = copy.deepcopy(progress)
    for column in columns(marks)[at:]:
        progress = advance(RULES, progress, column)

    again = snapshot
    for column in columns(marks)[at:]:
        again = advance(RULES, again, column)

    assert progress.episodes == fold(RULES, marks)[-1].episodes == again.episodes


@given(PUPILS)
@settings(max_examples=25, deadline=None)
def test_what_exact_rules_say_of_a_pupil_does_not_depend_on_the_others(pupils: list[str]) -> None:
    exact = [rule for rule in RULES if not rule.emerging]
    together = fold(exact, Marks(pupils, worker=1))[-1].episodes
    alone = fold(exact, Marks(pupils[:1], worker=1))[-1].episodes

    assert [{k: e for k, e in found.items() if k[0] == 0} for found in together] == list(alone)
