"""A local agreement: an overlay that narrows the national set, and adds agencies and routes."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.notify.policy_text import faults_of, parsed
from services.notify.routing import Route, Routes
from services.notify.vocabulary import HEALTH_KINDS, AgencyKind, Name

WATCHED_ROLES = frozenset({"police_contact", "school_nurse"})
WATCHED_AGENCIES = frozenset({"police", "health"})
TOUCHES = (
    ("Field", "health"),
    ("AgencyKind", "police"),
    ("AgencyKind", "health"),
    ("Role", "police_contact"),
    ("Role", "school_nurse"),
)
"""What makes a policy one about health facts, or about what police and health services see."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddedAgency(_Part):
    """An agency that takes part, as `PUT /notify/v1/agencies/{id}` has it."""

    id: Name
    name: Text
    kind: AgencyKind
    urns: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")], ...] = ()
    la: Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")] | None = None


class Agreement(_Part):
    """The overlay file."""

    name: Text
    version: int
    relied_from: Mapping[str, date] = Field(
        {}, description="By policy, the day from which the operator relies on its basis."
    )
    acknowledged: Mapping[str, Text] = Field(
        {}, description="By the name of what widens police or health access: who has agreed to it."
    )
    agencies: tuple[AddedAgency, ...] = ()
    routes: tuple[Route, ...] = ()
    policies: str = Field("", description="Cedar: forbids alone.")


class Widening(_Part):
    """Something in an agreement by which police or health services, or health facts, go further."""

    name: str
    why: str
    acknowledged_by: str | None


def faults_in(agreement: Agreement, national: Mapping[str, Any]) -> list[str]:
    """Return what an agreement may not hold; `national` are the policies that ship, by id."""
    if faults := faults_of(agreement.policies):
        return [f"policies: {fault}" for fault in faults]
    try:
        own = parsed(agreement.policies)
    except ValueError as error:
        return [f"policies: {error}"]
    permits = sorted(name for name, policy in own.items() if policy["effect"] == "permit")
    return [
        *(
            f"policies: {name} is a permit: an agreement narrows, by forbids alone"
            for name in permits
        ),
        *(f"policies: {name} is a national policy's id" for name in sorted(own.keys() & national)),
        *(
            f"relied_from: there is no policy {name}"
            for name in sorted(agreement.relied_from.keys() - national.keys() - own.keys())
        ),
        *(
            f"relied_from: {name} forbids: it holds whatever the day"
            for name in sorted(agreement.relied_from)
            if national.get(name, {}).get("effect") == "forbid"
        ),
    ]


def widenings(agreement: Agreement, routes: Routes, national: Mapping[str, Any]) -> list[Widening]:
    """Return what makes police or health access wider than the national set has it."""
    found = [
        *_by_routes(agreement, routes),
        *_by_agencies(agreement),
        *_by_dates(agreement, national),
    ]
    known = agreement.acknowledged
    return [Widening(name=n, why=why, acknowledged_by=known.get(n)) for n, why in found]


def _by_routes(agreement: Agreement, routes: Routes) -> Iterator[tuple[str, str]]:
    held = {pair for route in routes.routes for pair in _pairs(route)}
    for route in agreement.routes:
        new = _pairs(route) - held
        for role in sorted({to for _, to in new} & WATCHED_ROLES):
            yield f"route {route.name}", f"tells a {role} of kinds of bell that no route did"
        for kind in sorted({kind for kind, _ in new} & HEALTH_KINDS):
            yield f"route {route.name}", f"takes {kind}, a fact about health, to further roles"


def _pairs(route: Route) -> set[tuple[str, str]]:
    # A route for some severities or footings is not as wide as one for all.
    if route.footings is None and len(route.severities) == 3:
        return {(kind, to.role) for kind in route.kinds for to in route.to}
    narrowed = "/".join((*sorted(route.severities), *sorted(route.footings or ())))
    return {(f"{kind} {narrowed}", to.role) for kind in route.kinds for to in route.to}


def _by_agencies(agreement: Agreement) -> Iterator[tuple[str, str]]:
    for agency in agreement.agencies:
        if agency.kind in WATCHED_AGENCIES:
            yield f"agency {agency.id}", f"adds an agency of the kind {agency.kind}"


def _by_dates(agreement: Agreement, national: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(agreement.relied_from):
        said = json.dumps(national.get(name, {}).get("conditions", []))
        mentions = [f'{{"type": "{kind}", "id": "{id}"}}' in said for kind, id in TOUCHES]
        if any(mentions) or '"type": "Field"' not in said:
            yield f"relied_from {name}", "sets the day of a policy about police or health access"
