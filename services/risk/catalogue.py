"""The rule catalogue: every rule that a module of `services.risk.rules` offers."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from services.risk import rules
from services.risk.fold import Rule


def discover() -> tuple[Rule[Any], ...]:
    """Return the `RULES` of every rule module, by kind: adding a rule is adding a file."""
    found: list[Rule[Any]] = []
    for module in iter_modules(rules.__path__):
        found += getattr(import_module(f"{rules.__name__}.{module.name}"), "RULES", ())
    return tuple(sorted(found, key=lambda rule: rule.kind))


RULES = discover()
