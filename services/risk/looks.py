"""Looks: the shipped rules that look at one pupil at a time, put together to be compiled loops.

What `services.risk.each_session` and `each_day` do with all of them for a pupil is made here from
what each rule's file says of one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.catalogue import RULES
from services.risk.compiled import inlined
from services.risk.episodes import Changes
from services.risk.fold import PupilRule
from services.risk.pupil_days import Rows


class Looks:
    """The shipped rules of one loop.

    Args:
        rules: in the order of their places in it.
        first: the first one's place: places go on from loop to loop.
    """

    def __init__(self, rules: Sequence[PupilRule], first: int = 0) -> None:
        self.by_place = dict(enumerate(rules, first))
        self.record = np.dtype([(rule.kind, rule.remembers) for rule in rules], align=True)
        self.on_limits = sum(1 << n for n, rule in self.by_place.items() if not rule.emerging)
        """The places of rules on fixed limits, as bits. The others' bells are stories."""

        self.start = np.zeros(1, self.record)
        """What the rules remember of a pupil before the first session, shape (1,)."""
        for rule in rules:
            self.start[rule.kind] = rule.start(1)


SHIPPED = [rule for rule in RULES if isinstance(rule, PupilRule)]
OF_SESSIONS = Looks([rule for rule in SHIPPED if not rule.each_day])
OF_DAYS = Looks([rule for rule in SHIPPED if rule.each_day], len(OF_SESSIONS.by_place))
BY_PLACE = OF_SESSIONS.by_place | OF_DAYS.by_place
FIGURES = np.dtype([(rule.kind, rule.figures.dtype) for rule in SHIPPED], align=True)
"""The parameters of the rules of both loops, by their kinds."""
News = NDArray[np.int32]
"""For whom one of a loop's rules rings, or has ceased to, shape (K, 2): position, and the places of
the rules concerned, as bits."""


NOBODY = -1
ON_LIMITS = np.dtype(
    [
        # The rule's place among all rules; `NOBODY`: it does not run, or is emerging.
        ("rule", np.int32),
        # With which it rings.
        ("severity", np.uint8),
    ],
    align=True,
)


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


def in_turn(looks: Looks) -> Any:
    """Return the looks of a loop's rules as one, `inlined`."""
    looked: Any = inlined(_nobody)
    for place, rule in looks.by_place.items():
        looked = _after(looked, rule, place)
    return looked


def _no_entry(was: Any, now: Any, about: Any, limits: Rows, rows: Changes, count: int) -> int:
    return count


def _and_entry(others: Any, rule: PupilRule, place: int) -> Any:
    """Return what writes the entries of other rules on one pupil and then this one's."""
    name, anchor = rule.kind, rule.anchor

    @inlined
    def enter(was: Any, now: Any, about: Any, limits: Rows, rows: Changes, count: int) -> int:
        count = others(was, now, about, limits, rows, count)
        pupil, changed, year = about
        if changed >> place & 1 and limits[place].rule != NOBODY:
            row, rings = rows[count], now[name].rings
            row[0], row[1], row[3] = limits[place].rule, pupil, rings
            row[2] = anchor(now[name], year) if rings else anchor(was[name], year)
            row[4], row[5] = limits[place].severity, 0
            count += 1
        return count

    return enter


def entries_of(looks: Looks) -> Any:
    """Return what writes the entries that a loop's rules on fixed limits make, `inlined`."""
    of_one: Any = inlined(_no_entry)
    for place, rule in looks.by_place.items():
        if not rule.emerging:
            of_one = _and_entry(of_one, rule, place)

    @inlined
    def enter(
        was: Rows, now: Rows, news: News, limits: Rows, year: int, rows: Changes, count: int
    ) -> int:
        for n in range(len(news)):
            p = news[n, 0]
            about = p, news[n, 1], year
            count = of_one(was[p].rules, now[p].rules, about, limits, rows, count)
        return count

    return enter
