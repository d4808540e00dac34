"""Running: which of the shipped rules run in the loops of their looks, and with which figures."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from services.risk.episodes import Entry, Episodes, between, ringing
from services.risk.fold import PupilRule, Rule
from services.risk.looks import BY_PLACE, FIGURES, NOBODY, ON_LIMITS, SHIPPED
from services.risk.pupil_days import Rows
from services.risk.signs import NEW_YEAR, NEW_YEAR_OF_DAYS
from services.risk.stories import RANKED


class Remembered(Protocol):
    """What the rules of both loops remember of each pupil."""

    @property
    def sessions(self) -> Rows:
        """Shape (P,); its field `rules` is of `OF_SESSIONS.record`."""

    @property
    def days(self) -> Rows:
        """Shape (P,); its field `rules` is of `OF_DAYS.record`."""


class Running:
    """Which of the loops' rules run, and with which figures.

    Args:
        rules: of which some have a place in a loop.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.looked = dict(_looked(rules))
        """Each of them, with its place in the loops, by its place among `rules`."""
        self.figures = np.zeros(1, FIGURES)
        """Rules that do not run look too: nobody asks them."""
        self.on_limits = np.array([(NOBODY, 0)] * len(BY_PLACE), ON_LIMITS)
        """The rules on fixed limits, by their places in the loops."""
        for shipped in SHIPPED:
            self.figures[shipped.kind] = shipped.figures
        for n, (place, rule) in self.looked.items():
            self.figures[rule.kind] = rule.figures
            if not rule.emerging:
                self.on_limits[place] = n, rule.severities[0]
        emerging = [n for n, (_, rule) in self.looked.items() if rule.emerging]
        emerging.sort(key=lambda n: self.looked[n][1].rank)
        self.ranked = np.array([self._ranked(n) for n in emerging], RANKED)
        """The emerging ones, in the order of their ranks."""

    def _ranked(self, n: int) -> tuple[int, int, int]:
        place, rule = self.looked[n]
        return place, n, rule.severities[0]

    def anew(
        self, episodes: Sequence[Episodes], signs: int, academic_year: int, after: Remembered
    ) -> list[Entry]:
        """Return what a new academic year brings, if one has begun: in it rings anew what rings.

        Args:
            episodes: each rule's before.
        """
        return [
            entry
            for n, (_, rule) in self.looked.items()
            if not rule.emerging and signs & (NEW_YEAR_OF_DAYS if rule.each_day else NEW_YEAR)
            for entry in between(
                n, ringing(episodes[n]), rule.rung(_remembered(rule, after), academic_year)
            )
        ]


def _looked(rules: Sequence[Rule]) -> Iterator[tuple[int, tuple[int, PupilRule]]]:
    places = {rule.kind: place for place, rule in BY_PLACE.items()}
    for n, rule in enumerate(rules):
        place = places.get(rule.kind)
        if place is not None and isinstance(rule, PupilRule) and _is_like(rule, BY_PLACE[place]):
            yield n, (place, rule)


def _is_like(rule: PupilRule, shipped: PupilRule) -> bool:
    return rule.look is shipped.look and rule.anchor is shipped.anchor


def _remembered(rule: PupilRule, by: Remembered) -> Rows:
    rows: Rows = (by.days if rule.each_day else by.sessions)["rules"][rule.kind]
    return rows
