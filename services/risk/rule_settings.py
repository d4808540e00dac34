"""Rules' parameters as settings: a TOML file that changes them, and the version that says so.

A section for each kind: its parameters by name; `version`, a name for them; `off = true`.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from libs.common.settings import ServiceSettings
from services.risk.catalogue import RulesRefused, discover
from services.risk.fold import Rule

OFF, VERSION = "off", "version"
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
INTEGERS, NUMBERS = (1, 1000), (0.0, 1000.0)
"""Lowest and highest of a parameter for which its rule names no `limits`; a number is above 0."""

RuleSet = tuple[Rule, ...]


class Parameter(NamedTuple):
    """What a parameter may be set to."""

    kind: type
    """`int` or `float`."""
    lowest: float
    highest: float
    above_lowest: bool
    """Whether the lowest itself is too low."""


def rules_in_force(settings: ServiceSettings) -> RuleSet:
    """Return the rules that a service with these settings runs.

    Raises:
        RulesRefused: `FIRSTBELL_RULES_DIR` or `FIRSTBELL_RULES` cannot be used.
    """
    return rules_of(settings.rules, [] if settings.rules_dir is None else [settings.rules_dir])


def rules_of(file: Path | None, places: Sequence[Path] = ()) -> RuleSet:
    """Return the catalogue with further rules from `places`, as a settings file changes them.

    Raises:
        RulesRefused: names the file, the rule, the parameter at fault, and what would do.
    """
    rules = discover(places)
    return rules if file is None else changed(rules, _read(file), str(file))


def changed(rules: Sequence[Rule], asked: Mapping[str, Any], where: str) -> RuleSet:
    """Return the rules as the settings ask, without those that are switched off.

    Args:
        asked: for a kind, its parameters by name, `version` and `off`.
        where: what the settings came from, for errors.

    Raises:
        RulesRefused: as `rules_of`.
    """
    kinds = [rule.kind for rule in rules]
    for kind, values in asked.items():
        if kind not in kinds:
            raise RulesRefused(f"{where}: [{kind}]: there is no such rule.{_known(kind, kinds)}")
        if not isinstance(values, Mapping):
            raise RulesRefused(f"{where}: {kind}: write a section, [{kind}], with parameters.")
    made = (_changed(rule, asked.get(rule.kind, {}), where) for rule in rules)
    return tuple(rule for rule in made if rule is not None)


def settable(rule: Rule) -> dict[str, Parameter]:
    """Return which of a rule's parameters can be set: its numbers, each with its range.

    A rule may name ranges of its own in `limits`: (parameter, lowest, highest), both included.
    """
    if not is_dataclass(rule):
        return {}
    hints = get_type_hints(type(rule))
    limits = {name: ends for name, *ends in getattr(rule, "limits", ())}
    found = {}
    for name in (field.name for field in fields(rule) if field.name in rule.parameters):
        if hints[name] in (int, float):
            lowest, highest = limits.get(name, INTEGERS if hints[name] is int else NUMBERS)
            above = hints[name] is float and name not in limits
            found[name] = Parameter(hints[name], lowest, highest, above)
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RulesRefused(f"{file}: no TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise RulesRefused(f"{file}: not UTF-8 text.") from error
    except OSError as error:
        raise RulesRefused(f"{file}: {error.strerror or error}.") from error


def _changed(rule: Rule, asked: Mapping[str, Any], where: str) -> Rule | None:
    at = f"{where}: [{rule.kind}]"
    off = asked.get(OFF, False)
    if not isinstance(off, bool):
        raise RulesRefused(f"{at} off: write true or false.")
    known = settable(rule)
    values = {n: _value(known, n, v, at) for n, v in asked.items() if n not in (OFF, VERSION)}
    name = _version_name(rule, asked[VERSION], at) if VERSION in asked else None
    if off:
        return None
    return _as_version(rule, _replaced(rule, values, at), name, at)


def _value(known: Mapping[str, Parameter], name: str, value: object, at: str) -> int | float:
    if name not in known:
        others = _known(name, known) if known else " This rule has none that can be set."
        raise RulesRefused(f"{at} {name}: there is no such parameter.{others}")
    wanted = known[name]
    if isinstance(value, bool) or not isinstance(value, (int, wanted.kind)):
        word = "a whole number" if wanted.kind is int else "a number"
        raise RulesRefused(f"{at} {name}: {value!r} is not {word}; write one.")
    number = wanted.kind(value)
    low = -inf if wanted.above_lowest else wanted.lowest
    outside = not isfinite(number) or not low <= number <= wanted.highest
    if outside or (wanted.above_lowest and number <= wanted.lowest):
        least = "above" if wanted.above_lowest else "from"
        raise RulesRefused(
            f"{at} {name}: {value!r} is out of range; write a number {least} {wanted.lowest:g} "
            f"to {wanted.highest:g}."
        )
    return number  # type: ignore[no-any-return]


def _version_name(rule: Rule, name: object, at: str) -> str:
    if not isinstance(name, str) or not VERSION_NAME.fullmatch(name):
        raise RulesRefused(
            f"{at} version: {name!r} is no name; write up to 32 letters, digits, dots, hyphens "
            f'and underscores in quotes, e.g. "{rule.version}a".'
        )
    return name


def _replaced(rule: Rule, values: Mapping[str, Any], at: str) -> Rule:
    if not values:
        return rule
    try:
        return replace(rule, **values)  # type: ignore[type-var]
    except ValueError as error:  # a rule may check its parameters together
        raise RulesRefused(f"{at}: {error}") from error


def _as_version(shipped: Rule, rule: Rule, name: str | None, at: str) -> Rule:
    """Say in the rule's version under which parameters it rings."""
    if rule == shipped:
        return shipped
    if name == shipped.version:
        raise RulesRefused(
            f"{at} version: {name!r} is the version with the shipped parameters; give these a name "
            "of their own, or none."
        )
    told = json.dumps(dict(rule.parameters), sort_keys=True).encode()
    version = name or f"{shipped.version}+{sha256(told).hexdigest()[:6]}"
    named = copy(rule)
    # Not a field: it is no parameter, and must not become one for rules that list their fields.
    object.__setattr__(named, "version", version)
    return named


def _known(name: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    close = get_close_matches(name, names, 1)
    meant = f" Is {close[0]} meant?" if close else ""
    return f"{meant} Known: {', '.join(names)}."
