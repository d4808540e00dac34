"""Pure: who needs to know of a bell."""

from collections.abc import Iterable, Mapping
from datetime import date
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict


class To(BaseModel):
    """A role, and how its practitioners are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    found_by: Literal["involvement", "school", "home_authority"]


class Route(BaseModel):
    """Which kinds of bell go to whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: list[str]
    to: list[To]


class Routes(BaseModel):
    """The routes file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    routes: list[Route]


class Person(NamedTuple):
    """A practitioner and their agency, as routing needs them."""

    id: str
    roles: frozenset[str]
    agency: str
    agency_kind: str
    urns: frozenset[str]
    la: str | None


class Recipient(NamedTuple):
    """Who needs to know, in which role, and whether they work with the child."""

    person: Person
    role: str
    involved: bool
    footing: str


class About(NamedTuple):
    """What routing asks of a bell and its child."""

    kind: str
    urn: str
    home_la: str | None
    day: date
    involvements: tuple[Mapping[str, Any], ...]
    """As they were set: practitioner, role, footing, from, to."""


def load() -> Routes:
    """Read the routes file.

    Raises:
        ValidationError: it holds something that no route has.
    """
    text = files(__package__).joinpath("routes.yaml").read_text(encoding="utf-8")
    return Routes.model_validate(yaml.safe_load(text))


def recipients_of(about: About, routes: Routes, people: Iterable[Person]) -> list[Recipient]:
    """Return everybody whom a route names, once each, in order of their ids."""
    by_id = {person.id: person for person in people}
    found: dict[str, Recipient] = {}
    for route in routes.routes:
        if about.kind in route.kinds:
            for to in route.to:
                for recipient in _found(about, to, by_id):
                    found.setdefault(recipient.person.id, recipient)
    return [found[key] for key in sorted(found)]


def _found(about: About, to: To, people: Mapping[str, Person]) -> list[Recipient]:
    active = [i for i in about.involvements if is_active(i, about.day)]
    if to.found_by == "involvement":
        return [
            Recipient(people[i["practitioner"]], to.role, True, i["footing"])
            for i in active
            if i["role"] == to.role and i["practitioner"] in people
        ]
    involved = {i["practitioner"] for i in active}
    return [
        Recipient(person, to.role, person.id in involved, "none")
        for person in people.values()
        if to.role in person.roles and _is_near(person, about, to)
    ]


def _is_near(person: Person, about: About, to: To) -> bool:
    if to.found_by == "school":
        return person.agency_kind in {"school", "trust"} and about.urn in person.urns
    if person.agency_kind != "local_authority":
        return False
    if about.home_la is not None:
        return person.la == about.home_la
    return about.urn in person.urns


def is_active(involvement: Mapping[str, Any], day: date) -> bool:
    """Whether an involvement holds on a day, both its ends included."""
    ends_on = involvement.get("to")
    return bool(
        involvement["from"] <= day.isoformat() and (not ends_on or day.isoformat() <= ends_on)
    )
