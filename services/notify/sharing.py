"""Which fields of a bell a recipient may see: Cedar decides each field; an error is a deny."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import cedarpy
import structlog

from services.notify.policy_text import national, parsed
from services.notify.routing import Capacity, Recipient
from services.notify.vocabulary import FIELDS, KIND_TELLS

log = structlog.get_logger()

APPOINTED = "appointed"
"""In `@from`: the basis may be relied upon from a day that the operator sets, and not before."""

REQUEST = {"principal": 'Recipient::"r"', "action": 'Action::"see"', "context": {}}

ByField = dict[str, tuple[str, ...]]
"""Policies' ids, by the field that they permit or forbid."""


class Asked(NamedTuple):
    """What is asked about one bell, besides who would be told."""

    kind: str
    severity: str
    footings: frozenset[str] = frozenset()
    """On which anybody works with the child."""
    restricted: frozenset[str] = frozenset()
    """Fields that a restriction on the child's record keeps from this recipient."""
    approved: bool = False
    """Whether a named person has released the bell to this recipient."""


class Decision(NamedTuple):
    """What one recipient may see of one bell, and why."""

    fields: list[str]
    withheld: list[str]
    basis: list[str]
    policies: list[str]
    awaiting: list[str]
    """What a named person's approval would release."""
    approver: str | None
    """That person's role."""
    permitted_by: ByField
    forbidden_by: ByField
    untold: list[str]
    """Fields for whose sake nothing is told: an alert gives them away by its very kind."""

    @property
    def verdict(self) -> str:
        """`shared`, `awaiting_approval`, or `withheld` when nothing is permitted."""
        if self.fields:
            return "shared"
        return "awaiting_approval" if self.awaiting else "withheld"


NOTHING = Decision([], list(FIELDS), [], [], [], None, {}, {}, [])


_Question = tuple[frozenset[str], str, tuple[Capacity, ...], Asked]


class _Seen(NamedTuple):
    """What is decided for one capacity."""

    permits: ByField
    waits: ByField
    forbids: ByField
    untold: frozenset[str]


class _Failed(Exception):
    """A policy could not be evaluated."""


class Policies:
    """The policies, parsed once.

    Args:
        text: Cedar; the national set if not given.
        relied_from: by a policy's id, the day from which the operator relies on its basis.

    Raises:
        ValueError: it is no Cedar, or a policy lacks an id of its own, a basis, a source or a day.
    """

    def __init__(self, text: str | None = None, relied_from: Mapping[str, date] = {}) -> None:
        by_id = parsed(national() if text is None else text)
        self.annotations = {name: policy["annotations"] for name, policy in by_id.items()}
        strange = sorted(set(relied_from) - set(by_id))
        if strange:
            raise ValueError(f"relied_from: there is no policy {strange[0]}")
        self._by_id = by_id
        self._from = {
            name: relied_from.get(name) or _from(name, policy) for name, policy in by_id.items()
        }
        self._sets: dict[frozenset[str], cedarpy.PolicySet] = {}
        self._decided: dict[_Question, Decision] = {}
        self._today: tuple[date, frozenset[str]] | None = None

    def live(self, day: date) -> frozenset[str]:
        """Return the policies whose basis may be relied upon on this day."""
        if self._today is None or self._today[0] != day:
            names = (name for name, start in self._from.items() if start and start <= day)
            self._today = (day, frozenset(names))
        return self._today[1]

    def decide(self, recipient: Recipient, asked: Asked, day: date) -> Decision:
        """Decide every field for one recipient, in all their capacities together."""
        live, agency_kind = self.live(day), recipient.person.agency_kind
        # All that a policy can ask about, and nothing else: the same question, the same answer.
        question = (live, agency_kind, recipient.capacities, asked)
        if question not in self._decided:
            try:
                seen = [self._evaluate(live, agency_kind, one, asked) for one in question[2]]
            except _Failed as failed:
                log.error("a sharing policy failed: nothing is shared", errors=failed.args[0])
                return NOTHING
            self._decided[question] = self._decision(_joined(seen))
        return self._decided[question]

    def _decision(self, seen: _Seen) -> Decision:
        counted = seen.permits or seen.waits
        policies = sorted({name for names in counted.values() for name in names})
        roles = {self.annotations[p]["approval"] for ps in seen.waits.values() for p in ps}
        return Decision(
            [field for field in FIELDS if field in seen.permits],
            [field for field in FIELDS if field not in seen.permits],
            sorted({self.annotations[name]["basis"] for name in policies}),
            policies,
            [] if seen.permits else [field for field in FIELDS if field in seen.waits],
            None if seen.permits else min(roles, default=None),
            counted,
            seen.forbids,
            [] if counted else sorted(seen.untold),
        )

    def _evaluate(
        self, live: frozenset[str], agency_kind: str, capacity: Capacity, asked: Asked
    ) -> _Seen:
        permits: ByField = {}
        waits: ByField = {}
        forbids: ByField = {}
        answers = self._ask(live, _recipient(agency_kind, capacity), asked)
        for field, (allowed, reasons) in zip(FIELDS, answers, strict=True):
            at_once = tuple(p for p in reasons if asked.approved or not self._needs_approval(p))
            if not allowed:
                forbids |= {field: reasons} if reasons else {}
            elif at_once:
                permits[field] = at_once
            else:
                waits[field] = reasons
        return _told(asked.kind, permits, waits, forbids)

    def _needs_approval(self, policy: str) -> bool:
        return "approval" in self.annotations[policy]

    def _ask(
        self, live: frozenset[str], principal: Mapping[str, Any], asked: Asked
    ) -> list[tuple[bool, tuple[str, ...]]]:
        """Return for each field whether it is permitted, and by which policies it was decided."""
        entities = [_entity("Recipient", "r", principal)]
        entities += [_entity("Part", field, _part(field, asked)) for field in FIELDS]
        answers = cedarpy.is_authorized_batch(
            [{**REQUEST, "resource": f'Part::"{field}"'} for field in FIELDS],
            self._set(live),
            entities,
        )
        # Cedar skips a policy that fails, even a forbid: then the rest says nothing either.
        errors = [error for answer in answers for error in answer.diagnostics.errors]
        if errors:
            raise _Failed(sorted(set(map(str, errors))))
        return [(one.allowed, tuple(sorted(one.diagnostics.reasons))) for one in answers]

    def _set(self, live: frozenset[str]) -> cedarpy.PolicySet:
        if live not in self._sets:
            chosen = {name: self._by_id[name] for name in sorted(live)}
            document = {"staticPolicies": chosen, "templates": {}, "templateLinks": []}
            self._sets[live] = cedarpy.PolicySet.from_json_str(json.dumps(document))
        return self._sets[live]


def _from(name: str, policy: Mapping[str, Any]) -> date | None:
    said = policy["annotations"].get("from", "0001-01-01")
    if said == APPOINTED:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise ValueError(f"policy {name}: @from is no day, and not {APPOINTED!r}") from None


def _told(kind: str, permits: ByField, waits: ByField, forbids: ByField) -> _Seen:
    """Keep back everything from whom the alert's kind would tell what they may not see."""
    needed = KIND_TELLS.get(kind, frozenset()) | {"pattern"}
    if needed <= set(permits):
        return _Seen(permits, waits, forbids, frozenset())
    if needed <= set(permits) | set(waits):
        return _Seen({}, {**permits, **waits}, forbids, frozenset())
    return _Seen({}, {}, forbids, frozenset(needed - set(permits)))


def _joined(seen: Iterable[_Seen]) -> _Seen:
    # What one capacity permits another does not take away; a forbid stops within its capacity.
    parts: list[defaultdict[str, set[str]]] = [defaultdict(set) for _ in range(3)]
    untold: set[str] = set()
    for one in seen:
        untold |= one.untold
        for joined, named in zip(parts, one[:3], strict=True):
            for field, policies in named.items():
                joined[field].update(policies)
    permits, waits, forbids = (
        {str(field): tuple(sorted(named[field])) for field in FIELDS if field in named}
        for named in parts
    )
    return _Seen(permits, waits, forbids, frozenset(untold))


def _recipient(agency_kind: str, capacity: Capacity) -> dict[str, Any]:
    return {
        "agency_kind": _one("AgencyKind", agency_kind),
        "role": _one("Role", capacity.role),
        "involved": capacity.involved,
        "footing": _one("Footing", capacity.footing),
        "at_once": capacity.at_once,
    }


def _part(field: str, asked: Asked) -> dict[str, Any]:
    return {
        "field": _one("Field", field),
        "kind": _one("Kind", asked.kind),
        "severity": _one("Severity", asked.severity),
        "footings": [_one("Footing", footing) for footing in sorted(asked.footings)],
        "restricted": field in asked.restricted,
    }


def _one(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}
