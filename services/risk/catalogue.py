"""The rule catalogue: every rule that a module of `services.risk.rules` offers, and further files.

A rule is added by one file that names its rules in `RULES`: among `services.risk.rules`, or in a
folder of an installation's own (the setting `FIRSTBELL_RULES_DIR`).
"""

import re
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from libs.common.settings import SettingsRefused
from services.risk import rules
from services.risk.fold import PupilRule, Rule

RULES_MAX = 32
"""A story's grounds are as many bits."""
STEP = "step"
KIND = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
PARTS = (
    "kind", "version", "emerging", "rank", "title", "source", "asks", "parameters", "start", STEP,
    "explain",
)  # fmt: skip
"""What `SchoolRule` asks of a rule; a `PupilRule` looks, and has no step."""


class RulesRefused(SettingsRefused):
    """A file of rules, or of their settings, that cannot be used: where, why, and what would do."""


def discover(places: Iterable[Path] = ()) -> tuple[Rule, ...]:
    """Return the `RULES` of every rule module, by kind: adding a rule is adding a file.

    Args:
        places: Python files, and folders of them, beside the modules of `services.risk.rules`. A
            rule of theirs takes the place of one of the same kind, shipped or of a place before.

    Raises:
        RulesRefused: a file is not there, is no such module, or two of a place offer the same kind.
    """
    found = {
        rule.kind: rule
        for module in iter_modules(rules.__path__)
        for rule in getattr(import_module(f"{rules.__name__}.{module.name}"), "RULES", ())
    }
    for place in places:
        found |= _rules_in(place)
    if len(found) > RULES_MAX:
        raise RulesRefused(f"{len(found)} rules are too many: at most {RULES_MAX} can run together")
    return tuple(sorted(found.values(), key=lambda rule: rule.kind))


def _rules_in(place: Path) -> dict[str, Rule]:
    if not place.exists():
        raise RulesRefused(f"{place}: there is no such file or folder of rules.")
    inside = sorted(file for file in place.glob("*.py") if not file.name.startswith("_"))
    found: dict[str, Rule] = {}
    for file in inside if place.is_dir() else [place]:
        for rule in _rules_of(file):
            if rule.kind in found:
                raise RulesRefused(
                    f"{file}: the kind {rule.kind} is offered twice in {place}; give one of the "
                    "rules another kind, or take it away."
                )
            found[rule.kind] = rule
    return found


def _rules_of(file: Path) -> Sequence[Rule]:
    offered = getattr(_module_of(file), "RULES", None)
    if not isinstance(offered, Sequence) or not offered:
        raise RulesRefused(f"{file}: it offers no rules; name them in a tuple called RULES.")
    for rule in offered:
        parts = [part for part in PARTS if part != STEP or not isinstance(rule, PupilRule)]
        missing = [part for part in parts if not hasattr(rule, part)]
        if missing:
            raise RulesRefused(
                f"{file}: {type(rule).__name__} has no {', '.join(missing)}; "
                "`services.risk.fold.SchoolRule` says what each is."
            )
        if not KIND.fullmatch(rule.kind):
            raise RulesRefused(
                f"{file}: the kind {rule.kind!r} cannot be used; write up to 40 small letters, "
                "digits and hyphens."
            )
    return offered


def _module_of(file: Path) -> ModuleType:
    # Named for its content: run once in a process, and anew when it has changed.
    try:
        source = file.read_bytes()
        name = f"firstbell_rules_{file.stem}_{sha256(source).hexdigest()[:12]}"
        if name not in sys.modules:
            module = ModuleType(name)
            module.__file__ = str(file)
            sys.modules[name] = module  # where dataclasses and pickle look for it
            _run(source, module)
        return sys.modules[name]
    except OSError as error:
        raise RulesRefused(f"{file}: {error.strerror or error}.") from error
    except Exception as error:
        raise RulesRefused(f"{file}: {type(error).__name__}: {error}") from error


def _run(source: bytes, module: ModuleType) -> None:
    try:
        exec(compile(source, str(module.__file__), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise


RULES = discover()
