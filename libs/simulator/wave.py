"""Autumn 2022 as schools: a real wave of illness, and nothing but it.

Source of `WEEKS`: DfE, Pupil attendance in schools, autumn 2022, national figures by week, our
percentages of its sums. Crown copyright, Open Government Licence v3.0. Aggregates only: no child is
in them. Influenza and scarlet fever were about; the last week had snow and strikes on the railway.
"""

from datetime import date
from typing import NamedTuple

import numpy as np

from libs.common.codes import NUMBERS, Codes
from libs.simulator.absence import tendencies
from libs.simulator.authority import FIRST_URN, Authority, School, fill
from libs.simulator.calendar import Calendar, Closure, Term
from libs.simulator.climate import Climate
from libs.simulator.dfe import TENDENCY, Phase
from libs.simulator.events import Event
from libs.simulator.marks import marks_of
from libs.simulator.people import Household, SchoolPlan, pupils_of
from libs.simulator.spells import Floats, Lengths

YEAR = 2022


class Week(NamedTuple):
    """An ISO week of 2022: percent of possible sessions. Illness is part of absence."""

    number: int
    absence: float
    illness: float
    unauthorised: float


WEEKS: dict[Phase, tuple[Week, ...]] = {
    "primary": (
        Week(37, 4.40, 2.33, 1.41), Week(38, 4.94, 2.99, 1.32), Week(39, 4.87, 2.93, 1.30),
        Week(40, 5.01, 3.04, 1.30), Week(41, 5.23, 3.26, 1.34), Week(42, 6.27, 3.78, 1.79),
        Week(44, 5.08, 2.87, 1.55), Week(45, 5.29, 3.57, 1.13), Week(46, 5.99, 4.27, 1.13),
        Week(47, 7.44, 5.58, 1.25), Week(48, 7.61, 5.66, 1.35), Week(49, 9.53, 7.23, 1.67),
        Week(50, 12.36, 8.61, 2.82),
    ),
    "secondary": (
        Week(37, 6.39, 2.88, 2.45), Week(38, 7.96, 4.26, 2.60), Week(39, 8.34, 4.57, 2.63),
        Week(40, 7.67, 3.87, 2.62), Week(41, 7.45, 3.59, 2.68), Week(42, 8.63, 4.16, 3.22),
        Week(44, 7.61, 3.45, 2.97), Week(45, 7.76, 3.86, 2.69), Week(46, 8.60, 4.57, 2.80),
        Week(47, 10.29, 5.96, 3.07), Week(48, 11.06, 6.54, 3.25), Week(49, 12.85, 7.90, 3.62),
        Week(50, 16.48, 9.61, 5.24),
    ),
}  # fmt: skip
"""Week 43 was half-term nearly everywhere. Week 36, not published, is given week 37's figures."""
WAVE_FROM = 47
"""The wave's first week: absence is a third and more above the weeks before."""
TURN_DAYS = 20
"""School days before the first within which each was last away; spreads the first turns."""
JITTER_DAYS = 12
"""School days by which turns are shuffled, so that nobody's follow the same neighbour's."""

LENGTHS = {
    "I": Lengths((1, 2, 3, 4, 5), (0.35, 0.27, 0.19, 0.12, 0.07)),
    "O": Lengths((1, 2), (0.75, 0.25)),
    "C": Lengths((1,), (1.0,)),
}
"""School days of a spell by its code; C stands for all that is authorised but illness. Short ones
only: long ones, and absence that has become a habit, would be true episodes. Ours."""


def autumn_2022(seed: int, schools: int = 2, *, in_turns: bool = True) -> Authority:
    """Return schools whose absence follows the autumn term of 2022 week by week.

    Nothing is injected: `truth` is empty, and each school's one event is the wave. Every second
    school is a secondary school.

    Args:
        seed: not negative.
        schools: how many, 1 to 1,000.
        in_turns: pupils are away one after the other, so that nobody stands out: then no pupil's
            bell is right. Else chance decides, and the often absent are away more often, as in
            England: then some stand out, though nothing was injected.
    """
    made = tuple(_school([seed, YEAR, place], in_turns=in_turns) for place in range(schools))
    return Authority("330", YEAR, made, ())


def autumn_calendar() -> Calendar:
    """Return the term from 5 September to 16 December 2022, half-term in week 43."""
    terms = (
        Term(date(YEAR, 9, 5), date(YEAR, 10, 21)),
        Term(date(YEAR, 10, 31), date(YEAR, 12, 16)),
    )
    return Calendar(terms, (Closure(date(YEAR, 9, 19), "state funeral"),))


def _school(seed: list[int], *, in_turns: bool) -> School:
    rng = np.random.default_rng([*seed, 5])
    place = seed[2]
    phase: Phase = "secondary" if place % 2 else "primary"
    households: list[Household] = []
    plan = SchoolPlan("330", 2000 + place, phase, 5 if place % 2 else 2, YEAR)
    pupils = pupils_of(plan, households, rng)
    calendar = autumn_calendar()
    often = None if in_turns else tendencies(rng, phase, pupils, TENDENCY, Climate())
    codes = _autumn(rng, [_week(phase, day) for day in calendar.days], len(pupils), often)
    fill(codes, calendar, pupils)
    marks = marks_of(rng, codes, np.zeros(codes.shape, np.bool_), Climate())
    days = tuple(day for day in calendar.days if day.isocalendar().week >= WAVE_FROM)
    name = f"Autumn School {place + 1}"
    event = Event("illness-wave", days, None)
    return School(str(FIRST_URN + place), name, phase, calendar, pupils, marks, (event,))


def _week(phase: Phase, day: date) -> Week:
    """Return the figures of a day's week, or of the nearest one published."""
    number = day.isocalendar().week
    return min(WEEKS[phase], key=lambda week: abs(week.number - number))


def _autumn(
    rng: np.random.Generator, weeks: list[Week], pupils: int, often: Floats | None
) -> Codes:
    """Return the term's codes, uint8, shape (S, P), 0 where a pupil is present.

    Each day so many spells begin that, with those going on, the week's share is away.

    Args:
        weeks: the figures of each school day's week.
        often: how often each pupil tends to be away, shape (P,); None: all take turns.
    """
    codes = np.zeros((2 * len(weeks), pupils), np.uint8)
    back = rng.integers(-TURN_DAYS, 0, pupils)  # the school day on which each is or was back
    for day, week in enumerate(weeks):
        away = int((back > day).sum())
        wanted = int(week.absence / 100 * pupils + rng.random()) - away
        # The one who has been back longest is next; or lots are drawn, weighted.
        lots = 1 - rng.random(pupils)
        rank = back + JITTER_DAYS * lots if often is None else -np.round(often / lots, 9)
        next_ones = np.argsort(np.where(back > day, np.inf, rank), kind="stable")[: max(0, wanted)]
        for column in next_ones.tolist():
            code, lasts = _spell(rng, week)
            codes[2 * day : 2 * (day + lasts), column] = NUMBERS[code]
            back[column] = day + lasts
    return codes


def _spell(rng: np.random.Generator, week: Week) -> tuple[str, int]:
    """Draw a spell's code, so that days have the week's mix of codes, and its school days."""
    other = week.absence - week.illness - week.unauthorised
    days = {"I": week.illness, "O": week.unauthorised, "C": other}
    spells = np.array([days[code] / lengths.mean for code, lengths in LENGTHS.items()])
    code = list(LENGTHS)[int(np.searchsorted(np.cumsum(spells), rng.random() * spells.sum()))]
    lengths = LENGTHS[code]
    chosen = int(np.searchsorted(np.cumsum(lengths.chances)[:-1], rng.random(), side="right"))
    return code, lengths.days[chosen]
