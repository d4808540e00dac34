"""What holds of every rule: snapshots stand, words stay sensible, nobody is named."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.catalogue import RULES
from services.risk.fold import PupilRecord, Rule, Severity
from services.risk.progress import Fold
from tests.unit.books import MONDAY, Marks, columns, school_record

SCHOOLS = {"mass-absence", "register-missing"}
FOLD = Fold(RULES)
MARKS = st.lists(st.text("/LIMNOUGCD4 ", min_size=60, max_size=60), min_size=1, max_size=3)


@given(MARKS, st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_a_snapshot_is_not_changed_by_later_steps(pupils: list[str], at: int) -> None:
    taken = columns(Marks(pupils, worker=2))
    progress = FOLD.begin(len(pupils))
    for column in taken[:at]:
        progress = FOLD.advance(progress, column)
    snapshot, kept = progress, copy.deepcopy(progress)
    for column in taken[at:]:
        progress = FOLD.advance(progress, column)

    np.testing.assert_equal(snapshot, kept)


@given(MARKS)
@settings(max_examples=25, deadline=None)
def test_signals_are_sorted_unique_and_typed_as_promised(pupils: list[str]) -> None:
    progress = FOLD.begin(len(pupils))
    for column in columns(Marks(pupils, worker=1)):
        progress = FOLD.advance(progress, column)
        for rung in progress.ringing:
            pairs = list(zip(rung.pupils.tolist(), rung.anchors.tolist(), strict=True))
            assert pairs == sorted(set(pairs))
            assert (rung.pupils.dtype, rung.anchors.dtype) == (np.int32, np.int32)
            assert rung.severities.dtype == np.uint8
            assert set(rung.severities.tolist()) <= set(Severity)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@pytest.mark.parametrize("marks", ["/" * 40, " " * 40, "/"])
def test_a_record_that_no_longer_supports_a_bell_still_has_words(rule: Rule, marks: str) -> None:
    taken = columns(Marks([marks]))
    record = (
        school_record(taken)
        if rule.kind in SCHOOLS
        else PupilRecord(
            np.array([c.ordinal for c in taken], np.int64),
            np.array([c.school_day for c in taken], np.int32),
            np.array([c.school_week for c in taken], np.int32),
            np.array([c.codes[0] for c in taken], np.uint8),
        )
    )

    told = rule.explain(record, MONDAY.toordinal() * 2)

    assert told.explanation.endswith(".")
    assert "Codes: ." not in told.explanation
    sessions = json.loads(json.dumps(told.evidence))["sessions"]
    assert sessions == [] or rule.kind == "register-missing"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_tells_its_source_what_it_asks_and_what_it_does_not_mean(
    rule: Rule,
) -> None:
    assert rule.version
    assert rule.title
    assert rule.source
    assert " not " in rule.asks
    assert json.dumps(dict(rule.parameters))
