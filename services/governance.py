"""`firstbell docs`: the impact assessment, the transparency record and the list of bells.

All are templates beside this module, filled in from the live rule catalogue, routes, policies and
settings; a test holds the committed files to what this writes. What only an operator can say (who
is accountable, who was consulted, who signed) stands in them as a blank to be filled in.

Sources: Information Commissioner's Office, "How do we do a DPIA?", seven steps; Algorithmic
Transparency Recording Standard 3.0 (UK government), its tiers and sections.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import cedarpy
import yaml
from mako.template import Template

from libs.common.events import EVENTS
from libs.common.settings import ServiceSettings
from services.ingest.tables import Base as Ingest
from services.notify.tables import Base as Notify
from services.risk.catalogue import RULES
from services.risk.tables import Base as Risk
from services.risk.words import SEVERITY_ASKS, clears_of, severities_of

DOCUMENTS = ("dpia.md", "atrs.md", "bells.md")
TENANTS = {"ingest": Ingest, "risk": Risk, "notify": Notify}


def documents() -> dict[str, str]:
    """Return each document's text by its file's name."""
    values = {
        "rules": [_rule(rule) for rule in RULES],
        "policies": _policies(),
        "routes": _routes(),
        "settings": _settings(),
        "tables": {name: _tables(base) for name, base in TENANTS.items()},
        "topics": sorted(event.topic for event in EVENTS),
        "severity_asks": list(SEVERITY_ASKS.values()),
        "cell": _cell,
    }
    place = files("services").joinpath("governance_pages")
    return {
        name: str(
            Template(
                place.joinpath(f"{name}.mako").read_text(encoding="utf-8"), strict_undefined=True
            ).render(**values)
        )
        for name in DOCUMENTS
    }


def write(folder: Path) -> list[Path]:
    """Write the documents into a folder; return their paths."""
    paths = []
    for name, text in documents().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _rule(rule: Any) -> dict[str, Any]:
    names = ("kind", "title", "version", "source", "asks")
    told = {name: getattr(rule, name) for name in names}
    figures = ", ".join(f"{name} {value}" for name, value in dict(rule.parameters).items())
    return {
        **told,
        "figures": figures or "none",
        "emerging": bool(rule.emerging),
        "finds": (type(rule).__doc__ or "").partition("\n")[0],
        "clears": clears_of(rule),
        "severities": " or ".join(one.name for one in severities_of(rule, RULES)),
    }


def _policies() -> list[dict[str, str]]:
    """Return the national policies with their annotations, in the order of the file."""
    text = files("services.notify").joinpath("policies.cedar").read_text(encoding="utf-8")
    parsed = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    return [
        {"effect": policy["effect"], **(policy.get("annotations") or {})}
        for policy in parsed.values()
    ]


def _routes() -> list[tuple[str, str]]:
    """Return which kinds of bell go to whom."""
    text = files("services.notify").joinpath("routes.yaml").read_text(encoding="utf-8")
    return [
        (
            ", ".join(route["kinds"]),
            ", ".join(f"{to['role']} ({to['found_by']})".replace("_", " ") for to in route["to"]),
        )
        for route in yaml.safe_load(text)["routes"]
    ]


def _settings() -> list[tuple[str, Any, str]]:
    """Return the settings of retention: name, usual value, meaning."""
    return [
        (f"FIRSTBELL_{name.upper()}", field.default, str(field.description))
        for name, field in ServiceSettings.model_fields.items()
        if name.startswith("retain_")
    ]


def _tables(base: Any) -> list[tuple[str, str]]:
    """Return a service's tables, each with the first line of what it says of itself."""
    return sorted(
        (mapper.class_.__tablename__, (mapper.class_.__doc__ or "").partition("\n")[0])
        for mapper in base.registry.mappers
    )


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
