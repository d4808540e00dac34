"""Which fields of a bell a recipient may see: Cedar decides each field; an error is a deny."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import cedarpy
import structlog

from services.notify.routing import Recipient

log = structlog.get_logger()

FIELDS = (
    "name",
    "date_of_birth",
    "upn",
    "identifier",
    "year_group",
    "school",
    "explanation",
    "evidence",
)


class Decision(NamedTuple):
    """What one recipient may see of one bell, and why."""

    fields: list[str]
    withheld: list[str]
    basis: list[str]
    policies: list[str]

    @property
    def verdict(self) -> str:
        """`shared`, or `withheld` when not one field is permitted."""
        return "shared" if self.fields else "withheld"


class Policies:
    """The policy file, parsed once.

    Raises:
        ValueError: it is no Cedar, or a policy lacks an id of its own, a basis or a source.
    """

    def __init__(self, text: str | None = None) -> None:
        text = text or files(__package__).joinpath("policies.cedar").read_text(encoding="utf-8")
        by_id = _by_id(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"])
        self._annotations = {name: policy["annotations"] for name, policy in by_id.items()}
        document = {"staticPolicies": by_id, "templates": {}, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(json.dumps(document))
        self._decided: dict[tuple[Any, ...], Decision] = {}

    def decide(self, recipient: Recipient, kind: str, severity: str) -> Decision:
        """Decide every field for one recipient."""
        # All that a policy can ask about, and nothing else: the same question, the same answer.
        asked = (recipient.person.agency_kind, *recipient[1:], kind, severity)
        if asked not in self._decided:
            self._decided[asked] = self._decide(recipient, kind, severity)
        return self._decided[asked]

    def _decide(self, recipient: Recipient, kind: str, severity: str) -> Decision:
        permitted, policies = [], set()
        for field in FIELDS:
            reasons = self._reasons(recipient, kind, severity, field)
            if reasons:
                permitted.append(field)
                policies.update(reasons)
        return Decision(
            permitted,
            [field for field in FIELDS if field not in permitted],
            sorted({self._annotations[name]["basis"] for name in policies}),
            sorted(policies),
        )

    def _reasons(self, recipient: Recipient, kind: str, severity: str, field: str) -> list[str]:
        principal = {
            "agency_kind": recipient.person.agency_kind,
            "role": recipient.role,
            "involved": recipient.involved,
            "footing": recipient.footing,
        }
        resource = {"field": field, "kind": kind, "severity": severity}
        answer = cedarpy.is_authorized(
            {"principal": 'R::"r"', "action": 'Action::"see"', "resource": 'F::"f"', "context": {}},
            self._set,
            [_entity("R", "r", principal), _entity("F", "f", resource)],
        )
        if answer.diagnostics.errors:
            log.error(
                "a sharing policy failed: nothing is shared", errors=answer.diagnostics.errors
            )
            return []
        if not answer.allowed:
            return []
        return list(answer.diagnostics.reasons)


def _by_id(parsed: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    by_id: dict[str, dict[str, Any]] = {}
    for number, policy in enumerate(parsed.values(), 1):
        notes = policy.get("annotations") or {}
        missing = sorted({"id", "basis", "source"} - {name for name in notes if notes[name]})
        if missing:
            raise ValueError(f"policy {number} lacks @{', @'.join(missing)}")
        if by_id.setdefault(notes["id"], policy) is not policy:
            raise ValueError(f"two policies have the id {notes['id']}")
    return by_id


def _entity(kind: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


def shown(
    decision: Decision, recipient: Recipient, bell: dict[str, Any], pupil: dict[str, Any]
) -> dict[str, Any]:
    """Return the permitted parts of a bell: what an alert and a webhook bear."""
    kind = recipient.person.agency_kind
    own = (pupil.get("identifiers") or {}).get(kind)
    child = {
        "name": {n: pupil[n] for n in ("given_name", "family_name") if pupil.get(n)},
        "date_of_birth": _some(date_of_birth=pupil.get("date_of_birth")),
        "upn": _some(upn=bell["upn"]),
        "identifier": {"identifiers": {kind: own}} if own else {},
        "year_group": _some(year_group=pupil.get("year_group")),
    }
    body: dict[str, Any] = {"kind": bell["kind"], "severity": bell["severity"], "child": {}}
    for field in decision.fields:
        if field in child:
            body["child"].update(child[field])
        elif field == "school":
            body["school"] = {"urn": bell["urn"]}
        else:
            body[field] = bell[field]
    return {**body, "withheld": decision.withheld, "basis": decision.basis}


def _some(**value: Any) -> dict[str, Any]:
    return {name: v for name, v in value.items() if v}
