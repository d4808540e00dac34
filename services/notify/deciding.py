"""Who would be told of a bell, what each may see, and why: for delivery, dry run and each read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import alert_store, directory_store, handing_over
from services.notify.directory_store import Near
from services.notify.handing_over import StandIn
from services.notify.restrictions import restricted_for
from services.notify.routing import (
    About,
    Capacity,
    Person,
    Recipient,
    people_of,
    recipients_of,
)
from services.notify.sharing import NOTHING, Asked, Decision
from services.notify.sharing_rules import SharingRules
from services.notify.shown import Facts, shown, told_by_explanation

NEXT_ROLE, AFTER_HOURS = "headteacher", 4
"""Who is asked next, and when, if the route does not say: an approval never expires in silence."""


class Known(NamedTuple):
    """What is held about some bells, read at once."""

    people: Mapping[str, Person]
    involvements: Mapping[str, list[dict[str, Any]]]
    restrictions: Mapping[str, list[dict[str, Any]]]
    pupils: Mapping[tuple[str | None, str], dict[str, Any]]
    approvals: Mapping[UUID, list[dict[str, Any]]]
    escalations: Mapping[UUID, list[str]]
    """To which roles each bell was passed on, since nobody had answered."""
    stand_ins: Sequence[StandIn]


class Decided(NamedTuple):
    """For one recipient the decision, and what they may see."""

    recipient: Recipient
    decision: Decision
    body: dict[str, Any]
    cut: list[str]
    """Fields that are given in part only."""
    asks: tuple[tuple[str, str], ...] | None
    """Who is to be asked to approve: practitioner and role; None: nobody needs to be."""
    footings: frozenset[str] = frozenset()
    """On which anybody works with the child today."""
    pupil: Mapping[str, Any] = MappingProxyType({})
    """What the school's roll says of the child."""


async def known_of(
    db: AsyncConnection, bells: Iterable[Mapping[str, Any]], *, to_change: bool = False
) -> Known:
    """Read what is held about these bells and their children; `to_change`, approvals are locked."""
    bells = list(bells)
    held = await alert_store.children_of(db, {bell["upn"] for bell in bells})
    ids = {_id(bell) for bell in bells}
    near = Near(
        {bell["urn"] for bell in bells},
        {la for pupil in held.pupils.values() if (la := pupil.get("home_la"))},
        {one["practitioner"] for child in held.involvements.values() for one in child},
    )
    people = await directory_store.people_near(db, near)
    passed = await handing_over.passed_on(db, ids, people)
    stand_ins = await _with_takers(db, passed.stand_ins, people)
    return Known(
        people,
        held.involvements,
        held.restrictions,
        held.pupils,
        await alert_store.approvals_by_bell(db, ids, lock=to_change),
        passed.escalations,
        stand_ins,
    )


async def _with_takers(
    db: AsyncConnection, stand_ins: list[StandIn], people: dict[str, Person]
) -> list[StandIn]:
    """Add to `people` who stands in and is not near; return all, with who covers for these."""
    asked = set(people)
    while takers := {one.taker for one in stand_ins} - asked:
        asked |= takers
        people |= await directory_store.people_near(db, Near((), (), takers))
        stand_ins = stand_ins + (await handing_over.passed_on(db, (), takers)).stand_ins
    covers = [one for one in stand_ins if one.bell is None]
    handed = [one for one in stand_ins if one.bell is not None]
    return sorted(covers, key=lambda one: one.giver) + handed


def decide(
    bell: Mapping[str, Any], known: Known, rules: SharingRules, day: date, *, anew: bool = False
) -> list[Decided]:
    """Return for each recipient of a bell the decision, and what they may see. Tells nobody.

    Whom an approval asks is a recipient too. With `anew` an earlier refusal does not count: the
    bell has been raised or grown worse since.
    """
    matter = _matter(bell, known, rules, day, anew=anew)
    found = recipients_of(matter.about, rules.routes, known.people.values())
    decided = {one.person.id: matter.decided(one) for one in found}
    for stands in known.stand_ins:
        if stands.giver in decided and stands.holds(_id(bell), day):
            matter.add_stand_in(decided, stands)
    asks = [ask for one in decided.values() for ask in one.asks or ()]
    for id, role in [*matter.asked_before(), *asks]:
        matter.add(decided, id, role, "approval")
    for role in known.escalations.get(_id(bell), ()):
        for person in people_of(role, bell["urn"], known.people.values()):
            matter.add(decided, person.id, role, "escalation")
    return [decided[id] for id in sorted(decided)]


class _Matter(NamedTuple):
    """One bell, and all that bears on who may see what of it."""

    bell: Mapping[str, Any]
    known: Known
    rules: SharingRules
    about: About
    footings: frozenset[str]
    """On which anybody works with the child that day."""
    facts: Facts
    approvals: Sequence[Mapping[str, Any]]
    """The bell's."""
    anew: bool

    def asked_before(self) -> list[tuple[str, str]]:
        """Who has been asked to approve, and still holds the role at the school."""
        return [
            (one["practitioner"], one["role"])
            for row in self.approvals
            for one in row["asked"]
            if self._holds(one["practitioner"], one["role"])
        ]

    def _holds(self, id: str, role: str) -> bool:
        people = people_of(role, self.bell["urn"], self.known.people.values())
        return any(person.id == id for person in people)

    def add(self, decided: dict[str, Decided], id: str, role: str, asked: str) -> None:
        """Let somebody of the school know in this role too, whom a request or its end reached."""
        capacity = Capacity(role, False, "none")
        new = Recipient(self.known.people[id], (), asked=asked)
        held = decided[id].recipient if id in decided else new
        if capacity not in held.capacities:
            decided[id] = self.decided(held._replace(capacities=(*held.capacities, capacity)))

    def add_stand_in(self, decided: dict[str, Decided], stands: StandIn) -> None:
        """Let a colleague know in those of another's capacities whose role they hold too."""
        giver, people = decided[stands.giver].recipient, self.known.people
        taker = people.get(stands.taker)
        if taker is None or taker.agency != giver.person.agency:
            return
        held = decided[taker.id].recipient if taker.id in decided else None
        held = held or Recipient(taker, (), giver.route, giver.to, giver.asked)
        new = [
            one
            for one in giver.capacities
            if one.role in taker.roles and one not in held.capacities
        ]
        if new:
            decided[taker.id] = self.decided(held._replace(capacities=(*held.capacities, *new)))

    def decided(self, recipient: Recipient) -> Decided:
        decision = self._decision(recipient)
        body, cut = shown(decision, recipient, self.facts)
        asked = [
            _request_as_seen(row)
            for row in self.approvals
            if any(one["practitioner"] == recipient.person.id for one in row["asked"])
        ]
        if asked and decision.fields:
            body["approvals"] = asked
        asks = self._asks(recipient, decision)
        return Decided(recipient, decision, body, cut, asks, self.footings, self.facts.pupil)

    def _decision(self, recipient: Recipient) -> Decision:
        state = self._state(recipient)
        restrictions = self.known.restrictions.get(self.bell["upn"], ())
        asked = Asked(
            self.bell["kind"],
            self.bell["severity"],
            self.footings,
            restricted_for(recipient.person, restrictions),
            state == "released",
        )
        decision = self.rules.policies.decide(recipient, asked, self.about.day)
        if decision.awaiting and state == "refused" and not self.anew:
            return NOTHING._replace(forbidden_by=decision.forbidden_by)
        return decision

    def _state(self, recipient: Recipient) -> str | None:
        rows = self.approvals
        states = [row["state"] for row in rows if row["recipient"] == recipient.person.id]
        return states[-1] if states else None

    def _asks(self, recipient: Recipient, decision: Decision) -> tuple[tuple[str, str], ...] | None:
        if decision.approver is None or self.bell["status"] != "ringing":
            return None
        if self._state(recipient) == "awaiting":
            return None
        first = self.eligible(decision.approver)
        return tuple(first or self.eligible(next_of(recipient)[0]))

    def eligible(self, role: str) -> list[tuple[str, str]]:
        """Who holds a role at the child's school and may see the bell that they would release."""
        people = people_of(role, self.bell["urn"], self.known.people.values())
        as_role = [Recipient(person, (Capacity(role, False, "none"),)) for person in people]
        return [(one.person.id, role) for one in as_role if self._decision(one).fields]


def _matter(
    bell: Mapping[str, Any], known: Known, rules: SharingRules, day: date, *, anew: bool
) -> _Matter:
    pupil = known.pupils.get((bell["upn"], bell["urn"]), {})
    involvements = tuple(known.involvements.get(bell["upn"], ()))
    about = About(
        bell["kind"], bell["severity"], bell["urn"], pupil.get("home_la"), day, involvements
    )
    active, people = about.active, known.people
    working = [
        {"id": id, "name": people[id].name, "role": one["role"]}
        for one in active
        if (id := one["practitioner"]) in people
    ]
    footings = [one["footing"] for one in active]
    facts = Facts(bell, pupil, footings, working, told_by_explanation(bell))
    approvals = known.approvals.get(_id(bell), ())
    return _Matter(bell, known, rules, about, frozenset(footings), facts, approvals, anew)


def eligible(
    role: str, bell: Mapping[str, Any], known: Known, rules: SharingRules, day: date
) -> list[tuple[str, str]]:
    """Return who could be asked in this role to approve: practitioner and role."""
    return _matter(bell, known, rules, day, anew=False).eligible(role)


def next_of(recipient: Recipient) -> tuple[str, int]:
    """Return which role is asked next if an approval expires, and after how many hours."""
    to = recipient.to
    if to is None or to.escalate_to is None or to.after_hours is None:
        return NEXT_ROLE, AFTER_HOURS
    return to.escalate_to, to.after_hours


def _request_as_seen(row: Mapping[str, Any]) -> dict[str, Any]:
    named = ("recipient", "role", "fields", "state", "decided_by")
    until = {"until": row["expires_at"].isoformat()} if row["state"] == "awaiting" else {}
    return {**{name: row[name] for name in named}, **until}


def _id(bell: Mapping[str, Any]) -> UUID:
    return UUID(str(bell["id"]))
