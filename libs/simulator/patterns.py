"""Episodes: a child's absence changes from one day on. Injected, so that their truth is known."""

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, NO_MARK, NUMBERS, Codes
from libs.simulator.calendar import Calendar
from libs.simulator.climate import Climate
from libs.simulator.dfe import Phase
from libs.simulator.people import Pupil
from libs.simulator.spells import Bools, Floats


class Pattern(NamedTuple):
    """One kind of episode. All figures are ours.

    `per_1000` are pupils of 1,000 in a year; `days` the school days that it lasts, least and most;
    `chance` that a session it concerns is hit, least and most; `codes` are one of them an episode,
    or drawn session by session when `mixed`.
    """

    kind: str
    per_1000: dict[Phase, float]
    days: tuple[int, int]
    chance: tuple[float, float]
    codes: str
    where: str = "day"
    mixed: bool = False


PATTERNS = (
    Pattern("sudden-change", {"primary": 5, "secondary": 10}, (20, 60), (0.3, 0.7), "OOI",
            mixed=True),
    Pattern("weekday-pattern", {"primary": 4, "secondary": 6}, (40, 80), (0.8, 1.0), "IO",
            "weekday"),
    Pattern("leaves-after-registration", {"primary": 0, "secondary": 6}, (15, 40), (0.45, 0.8), "O",
            "afternoon"),
    Pattern("lateness", {"primary": 5, "secondary": 8}, (20, 50), (0.5, 0.8), "LLLLU", "morning",
            mixed=True),
    Pattern("health-absence", {"primary": 1.5, "secondary": 3}, (20, 60), (0.92, 1.0), "I"),
    Pattern("ten-days-unauthorised", {"primary": 1.5, "secondary": 4}, (11, 20), (1.0, 1.0), "O"),
)  # fmt: skip
UNEXPLAINED = "unexplained-absence"
UNEXPLAINED_SHARE = 0.5
"""Share of the children with a worker who go missing without a word for a day or two, once."""
KNOWN_FROM = 0.08
"""Tendency from which a child is absent so often already that no change would be seen."""


class Episode(NamedTuple):
    """The truth about one injected episode: first and last day that it changed a mark."""

    urn: str
    upn: str
    kind: str
    onset: date
    until: date


Place = tuple[str, Phase, Calendar]
"""A school's URN, phase and calendar."""
Hit = tuple[str, int, NDArray[np.intp]]
"""An episode's kind, its pupil's column, and the sessions that it changed."""


class Injected(NamedTuple):
    """Episodes, and the marks, bool, shape (S, P), for which nobody gave a reason on the day."""

    truth: tuple[Episode, ...]
    unexplained: Bools


def inject(
    rng: np.random.Generator,
    codes: Codes,
    place: Place,
    pupils: tuple[Pupil, ...],
    tendency: Floats,
    _climate: Climate,
) -> Injected:
    """Write a year's episodes into `codes`, shape (S, P), at most one a pupil; return their truth.

    They are the same in every climate.
    """
    _, phase, calendar = place
    hits: list[Hit] = []
    free = rng.permutation(np.flatnonzero(tendency < KNOWN_FROM)).tolist()
    for pattern in PATTERNS:
        expected = pattern.per_1000[phase] * len(pupils) / 1000
        for _ in range(int(expected + rng.random())):
            column = free.pop()
            changed = _episode(rng, codes[:, column], pattern, calendar)
            hits.append((pattern.kind, column, changed))
    missing, unexplained = go_missing(rng, codes, pupils, free)
    return Injected(truth_of(hits + missing, place, pupils), unexplained)


def go_missing(
    rng: np.random.Generator, codes: Codes, pupils: tuple[Pupil, ...], free: list[int]
) -> tuple[list[Hit], Bools]:
    """Let some children with a worker, of those in `free`, go missing; return who, which marks."""
    hits: list[Hit] = []
    unexplained = np.zeros(codes.shape, np.bool_)
    for column in sorted(free):
        if pupils[column].footing and rng.random() < UNEXPLAINED_SHARE:
            changed = _go_missing(rng, codes[:, column])
            unexplained[changed, column] = True
            hits.append((UNEXPLAINED, column, changed))
    return hits, unexplained


def truth_of(hits: list[Hit], place: Place, pupils: tuple[Pupil, ...]) -> tuple[Episode, ...]:
    """Return the episodes that changed a mark, the earliest first."""
    urn, _, calendar = place
    days = calendar.days
    truth = (
        Episode(urn, pupils[column].upn, kind, days[hit[0] // 2], days[hit[-1] // 2])
        for kind, column, hit in hits
        if len(hit)
    )
    return tuple(sorted(truth, key=lambda episode: (episode.onset, episode.upn)))


def _episode(
    rng: np.random.Generator, column: Codes, pattern: Pattern, calendar: Calendar
) -> NDArray[np.intp]:
    """Write an episode into a pupil's `column`, shape (S,); return the sessions it changed."""
    days = len(column) // 2
    lasts = int(rng.integers(pattern.days[0], pattern.days[1] + 1))
    start = int(rng.integers(20, days - lasts))  # a month of the usual comes first
    low, high = pattern.chance
    hit = rng.random(lasts) < low + (high - low) * rng.random()
    hit[0] = True
    if pattern.where == "weekday":
        weekdays = np.array([day.weekday() for day in calendar.days[start : start + lasts]])
        hit &= weekdays == (4 if rng.random() < 0.6 else 0)
    sessions = np.zeros(len(column), np.bool_)
    chosen = 2 * (start + np.flatnonzero(hit))
    if pattern.where != "afternoon":
        sessions[chosen] = True
    if pattern.where != "morning":
        sessions[chosen + 1] = True
    numbers = np.array([NUMBERS[text] for text in pattern.codes], np.uint8)
    drawn = rng.integers(0, len(numbers), days).repeat(2)
    if not pattern.mixed:
        drawn[:] = drawn[0]
    changed = np.flatnonzero(sessions & ~ABSENT[column] & (column != NO_MARK))
    column[changed] = numbers[drawn[changed]]
    return changed


def _go_missing(rng: np.random.Generator, column: Codes) -> NDArray[np.intp]:
    """Write one or two days' absence into a pupil's `column`; return the sessions it changed."""
    start = int(rng.integers(10, len(column) // 2 - 5))
    sessions = np.arange(2 * start, 2 * (start + int(rng.integers(1, 3))))
    changed = sessions[~ABSENT[column[sessions]] & (column[sessions] != NO_MARK)]
    column[changed] = NUMBERS["O"]
    return np.asarray(changed)
