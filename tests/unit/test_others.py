"""Rules that are folds themselves: when they are stepped, and how they share in a pupil's story."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from services.risk.catalogue import RULES
from services.risk.fold import NOTHING, Column, Finding, Rule, Severity, Signals, signals
from services.risk.rules.sudden_change import RULES as SUDDEN_CHANGE
from services.risk.signs import DAY, MASS, SESSION, WITHOUT_REASON
from tests.unit.books import Marks, columns, fold
from tests.unit.test_rules_emerging import pupil, school

AWAY = [(day, "OO") for day in (40, 42, 45, 47, 50, 52, 54, 57, 59, 62)]


@dataclass
class Another:
    """A rule that notes each session it is stepped over, and rings for pupil 0 when told."""

    heeds: int = SESSION
    rank: int = 0
    rings_from: int | None = None
    keeps: int = 0
    """Sessions for which it keeps state."""
    seen: list[int] = field(default_factory=list)

    kind: ClassVar[str] = "another"
    emerging: ClassVar[bool] = True
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "Another"
    source: ClassVar[str] = "None"
    asks: ClassVar[str] = "Nothing"

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {}

    def start(self, pupils: int) -> int | None:
        return None

    def step(self, state: int | None, column: Column) -> tuple[int | None, Signals]:
        self.seen.append(column.ordinal)
        left = self.keeps if column.signs & WITHOUT_REASON else (state or 0) - 1
        rings = self.rings_from is not None and column.ordinal >= self.rings_from
        rung = signals(np.array([0]), 0, Severity.urgent) if rings else NOTHING
        return left if left > 0 else None, rung

    def explain(self, record: Any, anchor: int) -> Finding:
        return Finding("", {})


@pytest.mark.parametrize(
    ("heeds", "keeps", "stepped"),
    [
        (SESSION, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
        (DAY, 0, [1, 3, 5, 7]),
        (WITHOUT_REASON, 0, [2]),
        (WITHOUT_REASON, 3, [2, 3, 4, 5]),  # as long as it keeps state
        (MASS, 0, []),
        (0, 0, []),
    ],
)
def test_a_rule_is_stepped_when_it_heeds_a_sign_and_while_it_keeps_state(
    heeds: int, keeps: int, stepped: list[int]
) -> None:
    rule, marks = Another(heeds, keeps=keeps), Marks(["//N/////"])
    fold([rule], marks)

    at = [column.ordinal for column in columns(marks)]
    assert rule.seen == [at[n] for n in stepped]


def test_a_rule_that_rings_is_stepped_on() -> None:
    marks = Marks(["//////////"])
    at = [column.ordinal for column in columns(marks)]
    rule = Another(WITHOUT_REASON, rings_from=at[3])
    fold([rule], marks)
    assert rule.seen == []

    rule, marks = Another(WITHOUT_REASON, rings_from=at[3]), Marks(["////N/////"])
    fold([rule], marks)
    assert rule.seen == at[4:]


@pytest.mark.parametrize(
    ("rank", "kind"), [(-1, "another"), (1000, "sudden-change")], ids=["before it", "after it"]
)
def test_who_rings_first_in_rank_on_the_day_gives_the_story_its_kind(rank: int, kind: str) -> None:
    marks, alone = school(pupil(*AWAY)), [*SUDDEN_CHANGE]
    ((since, *_),) = fold(alone, marks)[-1].episodes[0].values()
    rules: list[Rule] = [*alone, Another(DAY, rank, rings_from=since)]
    last = fold(rules, marks)[-1]

    told = {
        rule.kind: list(episodes.values())
        for rule, episodes in zip(rules, last.episodes, strict=True)
    }
    ((first, severity, _, grounds),) = told.pop(kind)
    assert (first, severity, grounds) == (since, Severity.urgent, 0b11)
    assert list(told.values()) == [[]]


def test_shipped_rules_that_are_folds_say_what_they_heed() -> None:
    folds = {rule.kind: rule for rule in RULES if hasattr(rule, "step")}

    assert set(folds) == {
        "group-absence", "mass-absence", "reason-overdue", "register-missing",
        "unexplained-absence",
    }  # fmt: skip
    assert all(not getattr(rule, "heeds", SESSION) & (SESSION | DAY) for rule in folds.values())
