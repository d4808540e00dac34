"""The trial's episodes: more of them than in the usual world, and of every kind that bells name."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, NO_MARK, NUMBERS, POSSIBLE, Codes
from libs.simulator import shapes
from libs.simulator.calendar import Calendar
from libs.simulator.climate import Climate
from libs.simulator.dfe import Phase
from libs.simulator.groups import GROUP, GROUP_MEAN, go_together
from libs.simulator.patterns import KNOWN_FROM, Hit, Injected, Place, go_missing, truth_of
from libs.simulator.people import Pupil
from libs.simulator.shapes import Shape, Stretch
from libs.simulator.spells import Floats

USUAL_DAYS = 20
"""School days of the usual before an episode may begin."""
SESSIONS_MIN = 4
"""Sessions that an episode must hit: it is drawn again a few times, then taken as it is."""
DRAWS = 8
OWN = "own"
"""Codes O and I in a mix of the pupil's own, around the climate's `hard`."""


class Kind(NamedTuple):
    """One kind of episode. `per_1000` are pupils of 1,000 in a year; `days` school days, both ends.

    `codes` are drawn day by day, each as likely. `after` are what comes before it and is no part of
    it, one of them: a code and its school days; the pupil is back for one to three weeks between.
    """

    kind: str
    per_1000: dict[Phase, float]
    days: tuple[int, int]
    shape: Shape
    codes: str = OWN
    after: tuple[tuple[str, int, int], ...] = ()


RETURNS = (("E", 2, 5), ("I", 10, 15))
KINDS = (
    Kind("sudden-change", {"primary": 12, "secondary": 14}, (20, 60), shapes.steep),
    Kind("sudden-change", {"primary": 8, "secondary": 8}, (45, 65), shapes.gradual),
    Kind("weekday-pattern", {"primary": 13, "secondary": 12}, (40, 80), shapes.weekdays),
    Kind("leaves-after-registration", {"primary": 5, "secondary": 11}, (15, 40),
         shapes.afternoons, "OOOI"),
    Kind("lateness", {"primary": 13, "secondary": 10}, (20, 50), shapes.mornings, "LLLLU"),
    Kind("relapse", {"primary": 6, "secondary": 8}, (20, 35), shapes.again, OWN, RETURNS),
    Kind("ten-days-unauthorised", {"primary": 4, "secondary": 5}, (11, 20), shapes.throughout,
         "O"),
    Kind("likely-persistent", {"primary": 13, "secondary": 10}, (70, 120), shapes.drift),
    Kind("health-absence", {"primary": 3, "secondary": 3}, (20, 60), shapes.nearly_throughout,
         "IIIIIIIM"),
)  # fmt: skip
IN_GROUPS: dict[Phase, float] = {"primary": 6, "secondary": 8}
"""Pupils of 1,000 who keep missing sessions together with others."""


def inject_kinds(
    rng: np.random.Generator,
    codes: Codes,
    place: Place,
    pupils: tuple[Pupil, ...],
    tendency: Floats,
    climate: Climate,
) -> Injected:
    """Write a year's episodes into `codes`, shape (S, P), at most one a pupil; return their truth.

    Pupils who are away often already, or came in mid-year, have none.
    """
    _, phase, calendar = place
    there = (codes[:2] != NO_MARK).all(axis=0)
    free = rng.permutation(np.flatnonzero((tendency < KNOWN_FROM) & there)).tolist()
    groups = _so_many(rng, IN_GROUPS[phase] / GROUP_MEAN, len(pupils))
    hits: list[Hit] = [
        (GROUP, column, _write(codes[:, column], hit, "O", rng))
        for column, hit in go_together(rng, len(calendar.days), pupils, free, groups)
    ]
    for kind in KINDS:
        for _ in range(min(len(free), _so_many(rng, kind.per_1000[phase], len(pupils)))):
            column = free.pop()
            changed = _episode(rng, codes[:, column], kind, calendar, climate)
            hits.append((kind.kind, column, changed))
    missing, unexplained = go_missing(rng, codes, pupils, free)
    return Injected(truth_of(hits + missing, place, pupils), unexplained)


def _so_many(rng: np.random.Generator, per_1000: float, pupils: int) -> int:
    return int(per_1000 * pupils / 1000 + rng.random())


def _episode(
    rng: np.random.Generator, column: Codes, kind: Kind, calendar: Calendar, climate: Climate
) -> NDArray[np.intp]:
    """Write an episode into a pupil's `column`, shape (S,); return the sessions it changed."""
    days = len(column) // 2
    weekday = np.array([day.weekday() for day in calendar.days])
    week = np.array([(day - calendar.days[0]).days // 7 for day in calendar.days])
    lasts = int(rng.integers(kind.days[0], kind.days[1] + 1))
    before, code = 0, ""
    if kind.after:
        code, least, most = kind.after[int(rng.integers(len(kind.after)))]
        before = int(rng.integers(least, most + 1))
    back = int(rng.integers(5, 13)) if before else 0
    start = int(rng.integers(USUAL_DAYS, days - lasts - before - back + 1))
    earlier = np.zeros(len(column), np.bool_)
    earlier[2 * start : 2 * (start + before)] = True
    if before:
        _write(column, earlier, code, rng)
    start += before + back
    stretch = Stretch(weekday[start : start + lasts], week[start : start + lasts])
    hit = np.zeros(len(column), np.bool_)
    for _ in range(DRAWS):
        hit[2 * start : 2 * (start + lasts)] = kind.shape(rng, stretch, climate.intensity).ravel()
        if (hit & _open_to(column)).sum() >= SESSIONS_MIN:
            break
    return _write(column, hit, _codes_of(rng, kind, climate), rng)


def _codes_of(rng: np.random.Generator, kind: Kind, climate: Climate) -> str:
    if kind.codes != OWN:
        return kind.codes
    # Families differ more than years do: some have nearly only O, some nearly only I.
    hard = float(rng.beta(1.6 * climate.hard, 1.6 * (1 - climate.hard)))
    return "O" * round(10 * hard) + "I" * (10 - round(10 * hard))


def _write(
    column: Codes, hit: NDArray[np.bool_], codes: str, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Write `codes`, one a day, where `hit`, shape (S,), finds a pupil in school."""
    numbers = np.array([NUMBERS[text] for text in codes], np.uint8)
    told = numbers[rng.integers(0, len(numbers), len(column) // 2)].repeat(2)
    changed = np.flatnonzero(hit & _open_to(column))
    column[changed] = told[changed]
    return np.asarray(changed)


def _open_to(column: Codes) -> NDArray[np.bool_]:
    return np.asarray(POSSIBLE[column] & ~ABSENT[column])
