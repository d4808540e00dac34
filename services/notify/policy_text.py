"""The text of policies: read, held to the schema, and taken apart."""

import json
from importlib.resources import files
from typing import Any

import cedarpy


def national() -> str:
    """Return the policies that ship with the service."""
    return files(__package__).joinpath("policies.cedar").read_text(encoding="utf-8")


def schema() -> str:
    """Return what policies can ask about, as a Cedar schema."""
    return files(__package__).joinpath("sharing.cedarschema").read_text(encoding="utf-8")


def faults_of(text: str) -> list[str]:
    """Return what is wrong with policies by the schema: misspelt fields, roles, attributes."""
    try:
        outcome = cedarpy.validate_policies(text, schema())
    except ValueError as error:
        return [str(error)]
    return [] if outcome.validation_passed else [str(error) for error in outcome.errors]


def parsed(text: str) -> dict[str, dict[str, Any]]:
    """Return policies as Cedar's JSON, by their ids.

    Raises:
        ValueError: it is no Cedar, or a policy lacks an id of its own, a basis or a source.
    """
    by_id: dict[str, dict[str, Any]] = {}
    policies = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    for number, policy in enumerate(policies.values(), 1):
        notes = policy.get("annotations") or {}
        missing = sorted({"id", "basis", "source"} - {name for name in notes if notes[name]})
        if missing:
            raise ValueError(f"policy {number} lacks @{', @'.join(missing)}")
        if by_id.setdefault(notes["id"], policy) is not policy:
            raise ValueError(f"two policies have the id {notes['id']}")
    return by_id
