"""What a house has come to, as its own interface tells it and as its receivers heard it."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.torture.settling import Told, every
from tests.torture.world import World, days

Register = tuple[str, str, str]
TAKEN = {204, None}
"""What a receiver has taken in: whether or not the sender got to hear of it."""
CLOCKWORK = {"register-missing"}
"""Kinds that depend on the time of day at which a run happens to be made."""


@dataclass
class Outcome:
    """Everything two runs are compared in: ids that nothing but the input decides, and no times."""

    registers: dict[Register, tuple[int, dict[str, str]]] = field(default_factory=dict)
    """Revision, and code by UPN."""
    attendance: dict[str, Any] = field(default_factory=dict)
    bells: dict[str, Any] = field(default_factory=dict)
    alerts: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By recipient and alert: kind, status, what happened to it."""
    decisions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Records of the ledger by bell, recipient and decision."""
    whole: Any = None
    """What the ledger's proof says."""


def outcome(house: Told, world: World) -> Outcome:
    """Read it all."""
    found = Outcome()
    with house.client("ingest") as ingest:
        for request in world.requests:
            key = (request.urn, request.day, request.session)
            if key not in found.registers:
                found.registers[key] = _register(ingest, *key)
    with house.client("risk") as risk:
        (first, _), *_, (last, _) = days(world.size.sessions)
        for urn in world.urns:
            path = f"/risk/v1/schools/{urn}/attendance"
            answer = risk.get(path, params={"from": str(first), "to": str(last)})
            found.attendance[urn] = answer.raise_for_status().json()
        found.bells = {
            bell["id"]: _without(bell, "raised_at")
            for bell in every(risk, "/risk/v1/bells")
            if bell["kind"] not in CLOCKWORK
        }
    _read_notify(house, world, found)
    return found


def _read_notify(house: Told, world: World, found: Outcome) -> None:
    for recipient in world.recipients:
        with house.client("notify", scope="alerts:read", practitioner=recipient) as own:
            for alert in every(own, "/notify/v1/alerts"):
                if alert["kind"] not in CLOCKWORK:
                    history = [entry["what"] for entry in alert["history"]]
                    kept = (alert["kind"], alert["severity"], alert["status"], history)
                    found.alerts[recipient, alert["id"]] = kept
    with house.client("notify", scope="disclosures:read") as auditor:
        for record in every(auditor, "/notify/v1/disclosures"):
            if record["bell"] in found.bells and record["decision"] != "read":
                found.decisions[record["bell"], record["recipient"], record["decision"]] += 1
        proof = auditor.get("/notify/v1/disclosures/verify", timeout=120).raise_for_status()
        found.whole = proof.json()["ok"]


def _register(ingest: httpx.Client, urn: str, day: str, session: str) -> tuple[int, dict[str, str]]:
    answer = ingest.get(f"/ingest/v1/schools/{urn}/registers/{day}/{session}")
    if answer.status_code == 404:
        return 0, {}
    held = answer.raise_for_status().json()
    return held["revision"], {mark["upn"]: mark["code"] for mark in held["marks"]}


def _without(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in names}


@dataclass
class Heard:
    """What the receivers were told: of each message, the first time that it was taken."""

    told: dict[tuple[str, str], list[str]]
    """By recipient and alert: types, in order."""
    twice: list[str]
    """Messages that one recipient took under two webhook-ids: their number in the body is one."""
    repeats: int
    """Requests for a webhook-id that had been taken before."""
    forged: int
    wrong: list[str]
    """Recipients who were sent a word that is not theirs."""


def heard(lines: list[dict[str, Any]], world: World) -> Heard:
    """Read a receivers' journal."""
    every = {word for pupil in world.pupils for word in pupil.words.values()}
    own = {recipient: world.may_hold(recipient) for recipient in world.recipients}
    found = Heard({}, [], 0, 0, [])
    taken: set[str] = set()
    said: dict[tuple[str, int], str] = {}
    for line in lines:
        body = json.loads(line["body"])
        words = _words(body) & every
        if not words <= own[line["to"]]:
            found.wrong.append(line["to"])
        found.forged += not line["verified"]
        if line["id"] in taken:
            found.repeats += 1
        elif line["status"] in TAKEN and body["data"]["kind"] not in CLOCKWORK:
            taken.add(line["id"])
            key = (line["to"], body["data"]["alert"])
            found.told.setdefault(key, []).append(body["type"])
            what = (line["to"], body["sequence"])
            if said.setdefault(what, line["id"]) != line["id"]:
                found.twice.append(line["to"])
    return found


def _words(part: Any) -> set[str]:
    if isinstance(part, dict):
        return {word for item in part.items() for value in item for word in _words(value)}
    if isinstance(part, list):
        return {word for value in part for word in _words(value)}
    return set(re.findall(r"\w+", str(part)))
