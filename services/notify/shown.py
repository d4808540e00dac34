"""Pure: what an alert and a webhook bear of a bell, once it is decided which fields may be seen."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.notify.routing import Recipient
from services.notify.sharing import Decision
from services.notify.vocabulary import FIELDS, HEALTH_CODES, KIND_TELLS

OF_PATTERN = frozenset({"weekday", "grounds", "school"})
"""Parts of evidence that belong to the pattern, though they are no numbers."""
OF_FIELD = {"reason": "reason", "reasons": "reason", "comment": "comment", "comments": "comment"}
TELLS_HEALTH = re.compile(r"\bill\b|illness|sick|medical|dental|appointment|health", re.IGNORECASE)
TELLS_FOOTING = re.compile(
    r"social worker|youth justice|child protection|looked.after|police", re.IGNORECASE
)
STANDING = {
    "ringing": "This bell rings",
    "cleared": "This bell no longer rings",
    "withdrawn": "This bell is withdrawn",
}


class Facts(NamedTuple):
    """What is held of a bell and its child."""

    bell: Mapping[str, Any]
    pupil: Mapping[str, Any]
    footings: Sequence[str]
    """On which anybody works with the child today."""
    practitioners: Sequence[Mapping[str, str]]
    """Who works with the child today: `id`, `name`, `role`."""
    told: frozenset[str]
    """The fields that the bell's explanation tells."""


def shown(
    decision: Decision, recipient: Recipient, facts: Facts
) -> tuple[dict[str, Any], list[str]]:
    """Return the permitted parts of a bell, and the fields that are given in part only."""
    bell, may = facts.bell, frozenset(decision.fields)
    body: dict[str, Any] = {"kind": bell["kind"], "severity": bell["severity"]}
    body["child"] = _child(may, recipient, facts)
    cut = []
    if "school" in may:
        body["school"] = {"urn": bell["urn"]}
    if "explanation" in may:
        whole = facts.told <= may
        body["explanation"] = bell["explanation"] if whole else _in_general(bell)
        cut += [] if whole else ["explanation"]
    if "evidence" in may:
        body["evidence"] = evidence_for(may, bell["evidence"])
        cut += [] if body["evidence"] == bell["evidence"] else ["evidence"]
    return {**body, "withheld": decision.withheld, "basis": decision.basis}, cut


def bare(shown_before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a former recipient is told of the end: which bell, and nothing of the child."""
    kept = {name: shown_before[name] for name in ("kind", "severity") if name in shown_before}
    return {**kept, "child": {}, "withheld": list(FIELDS), "basis": []}


def is_bare(body: Mapping[str, Any]) -> bool:
    """Whether this is no more than the news that a bell has ended."""
    return not any(body.get(part) for part in ("child", "school", "explanation", "evidence"))


def _child(may: frozenset[str], recipient: Recipient, facts: Facts) -> dict[str, Any]:
    pupil, agency_kind = facts.pupil, recipient.person.agency_kind
    own = (pupil.get("identifiers") or {}).get(agency_kind)
    parts = {
        "name": {n: pupil.get(n) for n in ("given_name", "family_name")},
        "date_of_birth": {"date_of_birth": pupil.get("date_of_birth")},
        "upn": {"upn": facts.bell["upn"]},
        "identifier": {"identifiers": own and {agency_kind: own}},
        "year_group": {"year_group": pupil.get("year_group")},
        "footing": {"footing": _footings(recipient, facts)},
        "practitioners": {"practitioners": _others(recipient, facts)},
    }
    chosen = (part for field, part in parts.items() if field in may)
    return {name: value for part in chosen for name, value in part.items() if value}


def _footings(recipient: Recipient, facts: Facts) -> list[str]:
    # A worker sees on what footing they themselves work with the child; a lead sees every one.
    own = {one.footing for one in recipient.capacities if one.involved}
    all_ = set(facts.footings) if any(not c.involved for c in recipient.capacities) else set()
    return sorted((own | all_) - {"none"})


def _others(recipient: Recipient, facts: Facts) -> list[dict[str, str]]:
    return [
        {"name": one["name"], "role": one["role"]}
        for one in facts.practitioners
        if one["id"] != recipient.person.id
    ]


def evidence_for(may: frozenset[str], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of evidence that somebody may see who may see these fields.

    A part that is not known is shown to those alone who may see all that evidence can tell.
    """
    kept: dict[str, Any] = {}
    marks = evidence.get("sessions") or []
    codes_too = "codes" in may and ("health" in may or not _tells_illness(evidence))
    for name, value in evidence.items():
        if name == "sessions":
            kept |= _sessions(marks, "sessions" in may, codes_too)
        elif _fields_of(name, value) <= may:
            kept[name] = value
    return kept


def _fields_of(name: str, value: Any) -> frozenset[str]:
    if name in OF_FIELD:
        return frozenset({OF_FIELD[name]})
    if name in OF_PATTERN or isinstance(value, bool | int | float):
        return frozenset({"pattern"})
    return frozenset({"pattern", "sessions", "codes", "reason", "comment", "health"})


def _sessions(marks: Sequence[Any], dates: bool, codes: bool) -> dict[str, list[Any]]:
    if dates and codes:
        return {"sessions": list(marks)}
    names = ("date", "session") if dates else ("code",) if codes else ()
    parts = [{n: m[n] for n in names if n in m} for m in marks if isinstance(m, Mapping)]
    return {"sessions": parts} if names else {}


def _tells_illness(evidence: Mapping[str, Any]) -> bool:
    marks = evidence.get("sessions") or []
    return any(isinstance(mark, Mapping) and mark.get("code") in HEALTH_CODES for mark in marks)


def told_by_explanation(bell: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that a bell's explanation tells; rather one too many than one too few.

    Rules name the codes that they counted with their meanings, so illness is found by its words.
    """
    told = {"pattern", "sessions", "codes", "reason", *KIND_TELLS.get(bell["kind"], ())}
    text = bell["explanation"]
    if TELLS_HEALTH.search(text):
        told.add("health")
    if TELLS_FOOTING.search(text):
        told.add("footing")
    return frozenset(told)


def _in_general(bell: Mapping[str, Any]) -> str:
    what = bell["kind"].replace("-", " ")
    standing = f"{STANDING[bell['status']]}: {what} ({bell['severity']})."
    return f"{standing} The marks behind it are not shown."
