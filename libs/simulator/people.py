"""Made-up pupils: numbers that pass their checks, names, ages, households, footings."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from libs.common.identifiers import check_letter
from libs.simulator.dfe import Phase
from libs.simulator.names import FAMILY, GIVEN

Rng = np.random.Generator

YEAR_GROUPS: dict[Phase, tuple[str, ...]] = {
    "primary": ("R", "1", "2", "3", "4", "5", "6"),
    "secondary": ("7", "8", "9", "10", "11"),
}
SIBLING_SHARE = 0.4
"""Chance that a pupil comes from a household already met, where there is a fitting one."""
FREE_MEALS_SHARE = 0.26
"""Share of households with free school meals."""
WORKER_SHARE = 0.03
"""Share of pupils with a social worker or a youth justice worker."""
FOOTINGS = (
    ("child_in_need", 0.50),
    ("looked_after", 0.24),
    ("child_protection_plan", 0.16),
    ("missing_or_exploitation_risk", 0.05),
    ("youth_justice", 0.05),
)


@dataclass
class Household:
    """A family at one address. `years` are the years in which its children began reception."""

    id: str
    family_name: str
    free_meals: bool
    years: list[int]


class Pupil(NamedTuple):
    """One made-up pupil. `free_meals` is never sent anywhere: it shapes absence and its figures."""

    upn: str
    given_name: str
    family_name: str
    date_of_birth: date
    year_group: str
    group: str
    entered_on: date
    home_la: str
    household: Household
    free_meals: bool
    footing: str | None
    footing_from: date | None
    social_care: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the pupil in the form of ingest's contract for a roll."""
        return {
            "upn": self.upn,
            "given_name": self.given_name,
            "family_name": self.family_name,
            "date_of_birth": self.date_of_birth.isoformat(),
            "year_group": self.year_group,
            "group": self.group,
            "entered_on": self.entered_on.isoformat(),
            "left_on": None,
            "home_la": self.home_la,
            "identifiers": {"social_care": self.social_care} if self.social_care else {},
            "household": self.household.id,
        }


class SchoolPlan(NamedTuple):
    """What a school's pupils depend on. `establishment` is the four digits after the authority."""

    la: str
    establishment: int
    phase: Phase
    forms: int
    academic_year: int


def upn_of(la: str, establishment: int, year: int, serial: int) -> str:
    """Return a permanent UPN: check letter, authority, establishment, year of entry, serial."""
    rest = f"{la}{establishment:04d}{year % 100:02d}{serial:03d}"
    return check_letter(rest) + rest


def pupils_of(plan: SchoolPlan, households: list[Household], rng: Rng) -> tuple[Pupil, ...]:
    """Return a school's pupils by year and form; add the households it meets to `households`."""
    pupils: list[Pupil] = []
    for year_group in YEAR_GROUPS[plan.phase]:
        age = 0 if year_group == "R" else int(year_group)
        serial = 0
        for form in range(plan.forms):
            for _ in range(int(rng.integers(26, 31))):
                serial += 1
                began = plan.academic_year - age
                household = _household_for(began, households, rng)
                upn = upn_of(plan.la, plan.establishment, began, serial)
                group = year_group + "ABCDEFGHJK"[form]
                pupils.append(_pupil(plan, upn, (age, group), household, rng))
    return tuple(pupils)


def _household_for(began: int, households: list[Household], rng: Rng) -> Household:
    if households and rng.random() < SIBLING_SHARE:
        known = households[int(rng.integers(len(households)))]
        if len(known.years) < 4 and all(abs(began - other) >= 2 for other in known.years):
            known.years.append(began)
            return known
    name = FAMILY[int(rng.integers(len(FAMILY)))]
    new = Household(f"HH-{len(households):05d}", name, rng.random() < FREE_MEALS_SHARE, [began])
    households.append(new)
    return new


def _pupil(
    plan: SchoolPlan, upn: str, place: tuple[int, str], household: Household, rng: Rng
) -> Pupil:
    age, group = place
    given, born, moved, neighbour, late = rng.integers(0, [len(GIVEN), 365, 100, 100, 120]).tolist()
    years_here = age if plan.phase == "primary" else age - 7
    entered = date(plan.academic_year - years_here, 9, 1)
    if moved < 2:  # came in the course of this year
        entered = date(plan.academic_year, 10, 1) + timedelta(late)
    footing = _footing(rng, plan.phase)
    since = date(plan.academic_year, 9, 1) - timedelta(int(rng.integers(-60, 900)))
    number = f"LCS-{upn[1:4]}{int(rng.integers(10**6)):06d}"
    in_care_system = footing is not None or rng.random() < 0.01
    return Pupil(
        upn=upn,
        given_name=GIVEN[given],
        family_name=household.family_name,
        date_of_birth=date(plan.academic_year - age - 5, 9, 1) + timedelta(born),
        year_group=group[:-1],
        group=group,
        entered_on=entered,
        home_la=str(int(plan.la) + 1 + neighbour % 3) if neighbour < 4 else plan.la,
        household=household,
        free_meals=household.free_meals,
        footing=footing,
        footing_from=since if footing else None,
        social_care=number if in_care_system else None,
    )


def _footing(rng: Rng, phase: Phase) -> str | None:
    drawn = rng.random() / WORKER_SHARE
    for footing, share in FOOTINGS:
        if drawn < share:
            return "child_in_need" if footing == "youth_justice" and phase == "primary" else footing
        drawn -= share
    return None
