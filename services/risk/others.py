"""Others: rules that are folds themselves, stepped beside the loops of those that look.

Most sessions concern none of them. A rule is stepped over a session with a sign that it heeds, and
as long as it keeps state or rings.
"""

from collections.abc import Collection, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np

from services.risk.alone import Alone
from services.risk.episodes import Changes, Entry, between
from services.risk.fold import Column, PupilRule, Rule
from services.risk.pupil_days import Rows
from services.risk.register import State, Taken
from services.risk.signals import NOTHING, Signals
from services.risk.signs import DAY, SESSION
from services.risk.stories import join_rung, told

SENT = Column._fields.index("signs")
"""So many fields of a column come with it; the fold puts the others in."""


class Stepped(NamedTuple):
    """After a session, of the rules that are folds themselves, in their order. N rules."""

    states: tuple[Any, ...]
    rung: tuple[Signals, ...]
    asleep: bool
    """Whether none of them keeps state or rings."""


class _Other(NamedTuple):
    n: int
    """Its place among all rules."""
    rule: Any
    heeds: int
    emerging: bool


class Others:
    """The rules that are folds themselves.

    Args:
        rules: all of them.
        looked: places of those that run in the loops.
    """

    def __init__(self, rules: Sequence[Rule], looked: Collection[int]) -> None:
        self._others = [_other(n, rule) for n, rule in enumerate(rules) if n not in looked]
        self._heeded = reduce(or_, (other.heeds for other in self._others), 0)
        self.want_days = bool(self._heeded & (SESSION | DAY))
        """Whether one of them reads `column.day`."""
        self._turns = np.zeros(len(rules), np.int32)
        """Each emerging rule's turn in giving a story its kind."""
        emerging = [n for n, rule in enumerate(rules) if rule.emerging]
        for turn, n in enumerate(sorted(emerging, key=lambda n: rules[n].rank)):
            self._turns[n] = turn

    def start(self, pupils: int) -> Stepped:
        """Return the state before the first session."""
        states = tuple(other.rule.start(pupils) for other in self._others)
        return Stepped(states, (NOTHING,) * len(states), all(one is None for one in states))

    def step(
        self, before: Stepped, column: Column, looked: State, taken: Taken
    ) -> tuple[Stepped, list[Entry]]:
        """Step those over a session that it may concern; return the entries of those on limits."""
        signs = taken.signs
        entries: list[Entry] = []
        if before.asleep and not signs & self._heeded:
            return before, entries
        # `_replace` is slower.
        shown = Column._make((*column[:SENT], signs, looked, taken.day))
        states, rung = list(before.states), list(before.rung)
        asleep = True
        for at, (n, rule, heeds, emerging) in enumerate(self._others):
            said = rung[at]
            if heeds & signs or states[at] is not None or said is not NOTHING:
                states[at], rung[at] = rule.step(states[at], shown)
                asleep = asleep and states[at] is None and rung[at] is NOTHING
                if rung[at] is not said and not emerging:
                    entries += between(n, said, rung[at])
        return Stepped(tuple(states), tuple(rung), asleep), entries

    def join(
        self, after: Stepped, before: Rows, stories: Rows, taken: Taken, academic_year: int
    ) -> Changes | None:
        """Write what the emerging ones say into the stories after a day.

        Returns:
            What all rules together have made of the stories before it; None: nothing.
        """
        if after.asleep or not taken.signs & DAY:
            return taken.stories
        joined = False
        for other, rung in zip(self._others, after.rung, strict=True):
            if other.emerging and len(rung.pupils):
                join_rung(stories, other.n, rung, self._turns, academic_year)
                joined = True
        return told(before, stories) if joined else taken.stories


def _other(n: int, rule: Rule) -> _Other:
    fold = Alone(rule) if isinstance(rule, PupilRule) else rule
    return _Other(n, fold, getattr(fold, "heeds", SESSION), rule.emerging)
