"""Pure: who needs to know of a bell, how soon, by which means, and who is next."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from services.notify.vocabulary import EXACT_KINDS, Footing, Role, Severity

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
HowSoon = Literal["at_once", "same_morning", "digest"]
SOONEST_FIRST: tuple[HowSoon, ...] = ("at_once", "same_morning", "digest")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class To(_Part):
    """A role, how its practitioners are found and reached, and who is next if nobody answers."""

    role: Role
    found_by: Literal["involvement", "school", "serving_school", "home_authority"]
    how_soon: HowSoon = "same_morning"
    by: tuple[Literal["webhook", "email", "console"], ...] = Field(
        ("webhook", "console"), min_length=1
    )
    escalate_to: Role | None = None
    after_hours: int | None = Field(None, gt=0, le=240)

    @model_validator(mode="after")
    def _both_or_neither(self) -> "To":
        if (self.escalate_to is None) != (self.after_hours is None):
            raise ValueError("`escalate_to` and `after_hours` go together")
        return self


class Route(_Part):
    """Which kinds and severities of bell, about which children, go to whom."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    kinds: tuple[Kind, ...] = Field(min_length=1)
    severities: tuple[Severity, ...] = Field(("notice", "warning", "urgent"), min_length=1)
    footings: tuple[Footing, ...] | None = Field(None, min_length=1)
    to: tuple[To, ...] = Field(min_length=1)

    def takes(self, about: "About", footings: frozenset[str]) -> bool:
        """Whether the route is for such a bell about a child known on these footings."""
        return (
            about.kind in self.kinds
            and about.severity in self.severities
            and (self.footings is None or not footings.isdisjoint(self.footings))
        )


class Inhibition(_Part):
    """While a bell of one kind rings, messages about lesser ones are held back."""

    rings: Kind
    of: Literal["child", "school"]
    """Whether it is about the same child, in an open alert of the same recipient; or the school."""
    holds: tuple[Kind, ...] = Field(min_length=1)

    @field_validator("holds")
    @classmethod
    def _surmise(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        exact = sorted(EXACT_KINDS.intersection(kinds))
        if exact:
            raise ValueError(f"{exact[0]} counts exactly and is never held back")
        return kinds


class Routes(_Part):
    """The routes file."""

    version: int
    routes: tuple[Route, ...]
    inhibitions: tuple[Inhibition, ...] = ()

    @model_validator(mode="after")
    def _each_has_a_name_of_its_own(self) -> "Routes":
        names = [route.name for route in self.routes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two routes have the name {twice[0]}")
        return self


class Person(NamedTuple):
    """A practitioner and their agency, as routing needs them."""

    id: str
    roles: frozenset[str]
    agency: str
    agency_kind: str
    urns: frozenset[str]
    la: str | None
    name: str = ""


class Capacity(NamedTuple):
    """In which role somebody needs to know, and on what footing they work with the child."""

    role: str
    involved: bool
    footing: str
    at_once: bool = False
    """Told without waiting for an approval: so the authority has said of this involvement."""


class Recipient(NamedTuple):
    """Who needs to know, in every capacity by which a route finds them, and how."""

    person: Person
    capacities: tuple[Capacity, ...]
    route: str = ""
    to: To | None = None
    asked: str = ""
    """For what they are told whom no route names: `approval`, `escalation`."""

    @property
    def role(self) -> str:
        """The role by which they were found first."""
        return self.capacities[0].role

    @property
    def footing(self) -> str:
        """The footing by which they were found first."""
        return self.capacities[0].footing


class About(NamedTuple):
    """What routing asks of a bell and its child."""

    kind: str
    severity: str
    urn: str
    home_la: str | None
    day: date
    involvements: tuple[Mapping[str, Any], ...]
    """As they were set: practitioner, role, footing, from, to."""

    @property
    def active(self) -> tuple[Mapping[str, Any], ...]:
        """The involvements that hold on the day."""
        return tuple(one for one in self.involvements if is_active(one, self.day))


def recipients_of(about: About, routes: Routes, people: Iterable[Person]) -> list[Recipient]:
    """Return everybody whom a route names, once each, in order of their ids."""
    by_id = {person.id: person for person in people}
    footings = frozenset(one["footing"] for one in about.active)
    found: dict[str, Recipient] = {}
    for route in routes.routes:
        if route.takes(about, footings):
            for to in route.to:
                for person, capacity in _found(about, to, by_id):
                    held = found.get(person.id, Recipient(person, ()))
                    found[person.id] = _with(held, capacity, route, to)
    return [found[key] for key in sorted(found)]


def _with(held: Recipient, capacity: Capacity, route: Route, to: To) -> Recipient:
    if capacity not in held.capacities:
        held = held._replace(capacities=(*held.capacities, capacity))
    # Of several routes to one person the most urgent says how they are reached.
    soon = SOONEST_FIRST.index
    if held.to is None or soon(to.how_soon) < soon(held.to.how_soon):
        held = held._replace(route=route.name, to=to)
    return held


def _found(about: About, to: To, people: Mapping[str, Person]) -> list[tuple[Person, Capacity]]:
    if to.found_by == "involvement":
        return [
            (
                people[one["practitioner"]],
                Capacity(to.role, True, one["footing"], bool(one.get("at_once"))),
            )
            for one in about.active
            if one["role"] == to.role and one["practitioner"] in people
        ]
    return [
        (person, Capacity(to.role, False, "none"))
        for person in people.values()
        if to.role in person.roles and _is_near(person, about, to)
    ]


def _is_near(person: Person, about: About, to: To) -> bool:
    of_school = person.agency_kind in {"school", "trust"}
    if to.found_by in {"school", "serving_school"}:
        return of_school is (to.found_by == "school") and about.urn in person.urns
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


def people_of(role: str, urn: str, people: Iterable[Person]) -> list[Person]:
    """Return who holds a role in a school or its trust, in order of their ids."""
    found = [
        person
        for person in people
        if role in person.roles and person.agency_kind in {"school", "trust"} and urn in person.urns
    ]
    return sorted(found, key=lambda person: person.id)
