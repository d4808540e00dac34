"""Pure: bells under two sets of rules, each with its like on the other side."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

PAIR_DAYS = 20
"""Stories of one pupil that began within so many school days of one another are the same story."""


class Rung(NamedTuple):
    """A bell, from the session after which it first rang. One that rings again is the same bell."""

    kind: str
    pupil: int
    """Position in the book, or `SCHOOL`."""
    anchor: int
    since: int
    """Ordinal of the session."""
    day: int
    """Number of its school day in the book."""
    story: bool
    """Whether emerging rules share it."""


Pair = tuple[Rung | None, Rung | None]
"""The same bell under the current rules and under the new ones; None: it does not ring there."""


def pairs_of(current: Iterable[Rung], new: Iterable[Rung]) -> Iterator[Pair]:
    """Yield every bell of either side once, with its like on the other side.

    A bell of a fixed limit is the same one by kind, pupil and anchor, however much sooner it rings.
    A story is told again when one of the same pupil began within `PAIR_DAYS`, whatever its kind.
    """
    sides: defaultdict[Any, tuple[list[Rung], list[Rung]]] = defaultdict(lambda: ([], []))
    for side, rung in enumerate((current, new)):
        for one in rung:
            key = one.pupil if one.story else (one.kind, one.pupil, one.anchor)
            sides[key][side].append(one)
    for first, second in sides.values():
        yield from _in_order(sorted(first, key=_by_day), sorted(second, key=_by_day))


def _in_order(first: list[Rung], second: list[Rung]) -> Iterator[Pair]:
    while first and second:
        gap = second[0].day - first[0].day if first[0].story else 0
        if abs(gap) <= PAIR_DAYS:
            yield first.pop(0), second.pop(0)
        elif gap > 0:
            yield first.pop(0), None
        else:
            yield None, second.pop(0)
    yield from ((one, None) for one in first)
    yield from ((None, one) for one in second)


def _by_day(rung: Rung) -> tuple[int, str]:
    return rung.day, rung.kind
