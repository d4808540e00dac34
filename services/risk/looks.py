"""Looks: the shipped rules that look at one pupil at a time, put together to be one compiled loop.

A call into compiled code, with what it is given and what it returns, costs as much as a rule's
look at a hundred pupils: so `services.risk.each_session` and `each_day` are one loop each for all
of them, made here from what each rule's file says of one pupil.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.risk.catalogue import RULES
from services.risk.compiled import inlined
from services.risk.episodes import Entry, Episodes, between, ringing
from services.risk.fold import PupilRule, Rule
from services.risk.pupil_days import Rows


class Looks:
    """The shipped rules of one loop.

    Args:
        rules: in the order of their places in it.
    """

    def __init__(self, rules: Sequence[PupilRule]) -> None:
        self.rules = rules
        self.record = np.dtype([(rule.kind, rule.remembers) for rule in rules], align=True)
        self.figures = np.dtype([(rule.kind, rule.figures.dtype) for rule in rules], align=True)
        self.shipped = np.zeros(1, self.figures)
        for rule in rules:
            self.shipped[rule.kind] = rule.figures
        self._places = {rule.kind: place for place, rule in enumerate(rules)}
        self.on_limits = sum(1 << place for place, rule in enumerate(rules) if not rule.emerging)
        """The places of rules on fixed limits, as bits. The others' bells are stories."""

    def place_of(self, rule: Rule) -> int | None:
        """Return a rule's place in the loop, whatever its parameters; None: it has none."""
        place = self._places.get(rule.kind)
        if place is None or not isinstance(rule, PupilRule):
            return None
        return place if rule.look is self.rules[place].look else None

    def start(self, pupils: int) -> Rows:
        """Return what the rules remember before the first session, shape (P,)."""
        every = np.empty(pupils, self.record)
        for rule in self.rules:
            every[rule.kind] = rule.start(pupils)
        return every


SHIPPED = [rule for rule in RULES if isinstance(rule, PupilRule)]
OF_SESSIONS = Looks([rule for rule in SHIPPED if not rule.each_day])
OF_DAYS = Looks([rule for rule in SHIPPED if rule.each_day])


News = NDArray[np.int32]
"""For whom one of a loop's rules rings, or has ceased to, shape (K, 3): position, the places of the
rules concerned, and of those that ring, as bits."""


class State(Protocol):
    """The state of a loop."""

    @property
    def academic_year(self) -> int:
        """Of the latest session, or day, taken."""

    @property
    def rules(self) -> Rows:
        """Of `Looks.record`, shape (P,)."""


class Running:
    """Which of a loop's rules run, and with which figures.

    Args:
        rules: of which some have a place in the loop.
    """

    def __init__(self, looks: Looks, rules: Sequence[Rule]) -> None:
        self.figures = looks.shipped.copy()
        """Of `Looks.figures`, shape (1,). Rules that do not run look too: nobody asks them."""
        self.looked: dict[int, tuple[int, PupilRule]] = {}
        """Each of them, with its place in the loop, by its place among `rules`."""
        for n, rule in enumerate(rules):
            place = looks.place_of(rule)
            if place is not None and isinstance(rule, PupilRule):
                self.figures[rule.kind] = rule.figures[0]
                self.looked[n] = place, rule
        self._told = {n: one for n, one in self.looked.items() if not one[1].emerging}

    def entries(
        self, episodes: Sequence[Episodes], news: News, before: State, after: State
    ) -> list[Entry]:
        """Return what rules on fixed limits say that they did not say before.

        Args:
            episodes: each rule's before.
        """
        year = after.academic_year
        if year != before.academic_year:  # in which rings anew what rings
            return [
                entry
                for n, (_, rule) in self._told.items()
                for entry in between(
                    n, ringing(episodes[n]), rule.rung(after.rules[rule.kind], year)
                )
            ]
        if not len(news):  # as nearly always
            return []
        return [
            self._entry(n, pupil, bool(rings >> place & 1), before, after)
            for pupil, changed, rings in news.tolist()
            for n, (place, _) in self._told.items()
            if changed >> place & 1
        ]

    def _entry(self, n: int, pupil: int, rings: bool, before: State, after: State) -> Entry:
        _, rule = self._told[n]
        mine = (after if rings else before).rules[pupil][rule.kind]
        anchor = int(rule.anchors(mine, after.academic_year))
        return Entry(n, pupil, anchor, rings, int(rule.severities[0]))


def _nobody(mine: Any, seen: Any, figures: Any) -> tuple[int, int]:
    return 0, 0


def _after(others: Any, rule: PupilRule, place: int) -> Any:
    """Return the looks of other rules and then this one's.

    They say which rules' bells for the pupil are not as before, and which ring, by their places, as
    bits.
    """
    name, look = rule.kind, rule.look

    @inlined
    def looked(mine: Any, seen: Any, figures: Any) -> tuple[int, int]:
        changed, ringing = others(mine, seen, figures)
        rang = mine[name].rings
        look(mine[name], seen, figures[name])
        rings = mine[name].rings
        return changed | (rings != rang) << place, ringing | rings << place

    return looked


def in_turn(rules: Iterable[PupilRule]) -> Any:
    """Return the looks of all these rules as one, `inlined`."""
    looked: Any = inlined(_nobody)
    for place, rule in enumerate(rules):
        looked = _after(looked, rule, place)
    return looked
