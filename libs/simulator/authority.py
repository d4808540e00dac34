"""One local authority's school year, made up from a seed: schools, pupils, marks and the truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import NO_MARK, NUMBERS, Codes
from libs.simulator.absence import Wave, at_even_ranks, ordinary_year, shares_of, tendencies
from libs.simulator.calendar import Calendar, calendar_of
from libs.simulator.climate import Climate
from libs.simulator.customs import come_late, go_on_holiday
from libs.simulator.dfe import Phase
from libs.simulator.events import Event
from libs.simulator.marks import Marks, Register, marks_of, registers_of
from libs.simulator.names import PLACES
from libs.simulator.patterns import Episode, Injected
from libs.simulator.people import Household, Pupil, SchoolPlan, pupils_of
from libs.simulator.worlds import USUAL, World

FIRST_URN = 100_000


@dataclass(frozen=True)
class School:
    """A made-up school and its year. `pupils` and the columns of `year` are in the same order.

    `events` are what befell many of them at once, by day.
    """

    urn: str
    name: str
    phase: Phase
    opening: Calendar
    pupils: tuple[Pupil, ...]
    year: Marks
    events: tuple[Event, ...] = ()

    @cached_property
    def roll(self) -> list[dict[str, Any]]:
        """The roll in the form of ingest's contract."""
        return [pupil.as_json() for pupil in self.pupils]

    @cached_property
    def calendar(self) -> dict[str, list[dict[str, str]]]:
        """The calendar in the form of ingest's contract."""
        return self.opening.as_json()

    def registers(self, first_day: date, last_day: date) -> Iterator[Register]:
        """Yield what the school sends from `first_day` to `last_day`, in order of sending.

        A correction is sent some days after the day that it is about: see `Register.sent_on`.
        """
        upns = [pupil.upn for pupil in self.pupils]
        span = (first_day, last_day)
        return registers_of(self.year, upns, self.opening.days, self.opening.shut_sessions, span)


@dataclass(frozen=True)
class Authority:
    """A local authority's schools in one academic year, and what was injected into it."""

    la: str
    academic_year: int
    schools: tuple[School, ...]
    truth: tuple[Episode, ...]

    @cached_property
    def involvements(self) -> dict[str, list[dict[str, Any]]]:
        """Who works with which child, by UPN, in the directory's form without the practitioner."""
        return {
            pupil.upn: [_involvement(pupil.footing, pupil.footing_from)]
            for school in self.schools
            for pupil in school.pupils
            if pupil.footing and pupil.footing_from
        }


class Season(NamedTuple):
    """What all schools of a year have in common."""

    wave: Wave
    climate: Climate
    world: World


def simulate(
    seed: int, academic_year: int, schools: int = 20, la: str = "330", *, world: World = USUAL
) -> Authority:
    """Return a year of an authority with so many schools, every fifth a secondary school.

    The same arguments give the same year, byte for byte, with the same release of numpy.

    Args:
        seed: not negative.
        academic_year: the calendar year in which it begins.
        schools: 1 to 1,000.
        la: the authority's three digits, used in UPNs and `home_la`.
        world: what befalls it, and how often; `worlds.TRIAL` is for judging detection.
    """
    rng = np.random.default_rng([seed, academic_year])
    climate = world.climate(np.random.default_rng([seed, academic_year, 0, 2]))
    peak = date(academic_year, 11, 25) + timedelta(int(rng.integers(0, 22)))
    season = Season(Wave(peak, climate.wave * (0.5 + rng.random())), climate, world)
    households: list[Household] = []
    made = [
        _school([seed, academic_year, place], la, season, households) for place in range(schools)
    ]
    truth = tuple(episode for _, injected in made for episode in injected.truth)
    return Authority(la, academic_year, tuple(school for school, _ in made), truth)


def _school(
    seed: list[int], la: str, season: Season, households: list[Household]
) -> tuple[School, Injected]:
    rng = np.random.default_rng([*seed, 1])
    _, academic_year, place = seed
    wave, climate, world = season
    phase: Phase = "secondary" if place % 5 == 1 else "primary"
    urn = str(FIRST_URN + place)
    forms = 5 + place % 2 if phase == "secondary" else 1 + (place % 8 == 0)
    establishment = (4000 if phase == "secondary" else 2000) + place
    plan = SchoolPlan(la, establishment, phase, forms, academic_year)
    pupils = pupils_of(plan, households, rng)
    opening = calendar_of(academic_year, rng)
    tendency = tendencies(rng, phase, pupils, world.tendency, climate)
    shares = shares_of(phase, tendency, at_even_ranks(phase, world.tendency), climate)
    codes = ordinary_year(rng, opening, shares, wave, climate)
    go_on_holiday(codes, phase, pupils, seed[:2])
    codes[come_late(rng, codes, phase, tendency)] = NUMBERS["L"]
    events = world.happen(seed, codes, (urn, phase, opening), pupils)
    fill(codes, opening, pupils)
    injected = world.inject(rng, codes, (urn, phase, opening), pupils, tendency, climate)
    kind = "Academy" if phase == "secondary" else "Primary School"
    again, where = divmod(place, len(PLACES))
    name = f"{PLACES[where]} {kind}" + (f" {again + 1}" if again else "")
    marks = marks_of(rng, codes, injected.unexplained, climate)
    return School(urn, name, phase, opening, pupils, marks, events), injected


def fill(codes: Codes, opening: Calendar, pupils: tuple[Pupil, ...]) -> None:
    """Write presence into what is left of `codes`, and no mark where there cannot be one."""
    for half, (text, session) in enumerate((("/", "am"), ("\\", "pm"))):
        sessions = codes[half::2]
        sessions[sessions == NO_MARK] = NUMBERS[text]
        shut = [n for n, day in enumerate(opening.days) if (day, session) in opening.shut_sessions]
        sessions[shut] = NO_MARK
    ordinals = np.array([day.toordinal() for day in opening.days]).repeat(2)
    entered = np.array([pupil.entered_on.toordinal() for pupil in pupils])
    codes[ordinals[:, None] < entered[None, :]] = NO_MARK


def _involvement(footing: str, since: date) -> dict[str, Any]:
    role = "youth_justice_worker" if footing == "youth_justice" else "social_worker"
    return {"role": role, "footing": footing, "from": since.isoformat(), "to": None}
