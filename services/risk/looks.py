"""Looks: the shipped rules that look at one pupil at a time, put together to be one compiled loop.

A call into compiled code, with what it is given and what it returns, costs as much as a rule's
look at a hundred pupils: so `services.risk.each_pupil` has two loops for all of them, made here
from what each rule's file says of one pupil.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from services.risk.catalogue import RULES
from services.risk.compiled import inlined
from services.risk.fold import PupilRule, Rule
from services.risk.pupil_days import Rows
from services.risk.signals import Signals


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

    def tell(self, ringing: list[Signals], changed: int, pupils: Rows, year: int) -> None:
        """Write what rules on fixed limits say now, where it is not as before.

        Args:
            ringing: what each of `rules` says.
            changed: the places in the loop of those whose bells are not as before, as bits.
            pupils: what the loop's rules remember.
            year: the academic year.
        """
        for n, (place, rule) in self.looked.items() if changed else ():
            if changed >> place & 1 and not rule.emerging:
                ringing[n] = rule.rung(pupils[rule.kind], year)


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
