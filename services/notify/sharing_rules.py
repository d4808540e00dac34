"""Routes, policies and the local agreement together: read, checked, versioned, read anew."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import structlog
import yaml
from pydantic import BaseModel, ValidationError

from services.notify import policy_text
from services.notify.agreement import AddedAgency, Agreement, Widening, faults_in, widenings
from services.notify.routing import Routes
from services.notify.sharing import Policies

log = structlog.get_logger()

EVERY_S = 2.0
"""How often the files are looked at."""
NATIONAL = ("routes.yaml", "policies.cedar", "sharing.cedarschema")
Model = TypeVar("Model", bound=BaseModel)


class NotUsable(ValueError):
    """The files cannot be used; each of `faults` says in which file, where, and why."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class SharingRules:
    """Who needs to know and who may see what, as one version of the files has it."""

    routes: Routes
    policies: Policies
    version: str
    """The start of the SHA-256 of all the files."""
    agencies: tuple[AddedAgency, ...] = ()
    widenings: tuple[Widening, ...] = ()


def load(agreement: Path | None = None) -> SharingRules:
    """Read and check the files: the national set, and the local agreement if there is one.

    Raises:
        NotUsable: one of them is wrong, or the agreement widens police or health access without
            an acknowledgement.
    """
    rules = read(agreement)
    silent = [one for one in rules.widenings if one.acknowledged_by is None]
    if silent:
        raise NotUsable(
            [
                f"{agreement}: {one.name} {one.why}; `acknowledged` does not name it"
                for one in silent
            ]
        )
    return rules


def read(agreement: Path | None = None) -> SharingRules:
    """Read the files as `load` does, but leave what they widen to the caller.

    Raises:
        NotUsable: one of them is wrong.
    """
    texts = {name: national_text(name) for name in NATIONAL}
    routes = read_model(Routes, "routes.yaml", texts["routes.yaml"])
    cedar = texts["policies.cedar"]
    if faults := policy_text.faults_of(cedar):
        raise NotUsable([f"policies.cedar: {fault}" for fault in faults])
    if agreement is None:
        return SharingRules(routes, Policies(cedar), version_of(texts.values()))
    texts["agreement"] = text_of(agreement)
    return _with(
        agreement, read_model(Agreement, str(agreement), texts["agreement"]), routes, texts
    )


def _with(path: Path, agreed: Agreement, routes: Routes, texts: dict[str, str]) -> SharingRules:
    cedar = texts["policies.cedar"]
    national = policy_text.parsed(cedar)
    if faults := faults_in(agreed, national):
        raise NotUsable([f"{path}: {fault}" for fault in faults])
    try:
        both = Routes(
            version=routes.version,
            routes=(*routes.routes, *agreed.routes),
            inhibitions=routes.inhibitions,
        )
        policies = Policies(cedar + agreed.policies, agreed.relied_from)
    except ValueError as error:
        raise NotUsable([f"{path}: {error}"]) from None
    widened = tuple(widenings(agreed, routes, national))
    return SharingRules(both, policies, version_of(texts.values()), agreed.agencies, widened)


def version_of(texts: Iterable[str]) -> str:
    """Return the version of files with these texts, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(len(text.encode()).to_bytes(8, "big") + text.encode())
    return digest.hexdigest()[:12]


def national_text(name: str) -> str:
    """Return the text of a file that ships with the service."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def text_of(path: Path) -> str:
    """Return the text of an operator's file.

    Raises:
        NotUsable: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotUsable([f"{path}: {type(error).__name__}: it cannot be read"]) from None


def read_model(model: type[Model], name: str, text: str) -> Model:
    """Read YAML as a model.

    Raises:
        NotUsable: it is none; each fault names its place.
    """
    try:
        return model.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise NotUsable([f"{name}: no YAML: {error}"]) from None
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc'])) or 'its top'}: {e['msg']}" for e in error.errors()
        ]
        raise NotUsable([f"{name}: {fault}" for fault in faults]) from None


@dataclass
class Watcher:
    """Reads the files anew when one has changed; while a change is wrong the old version holds."""

    agreement: Path | None
    take: Callable[[SharingRules], Awaitable[None]]
    version: str = ""

    async def run(self) -> None:
        """Look for ever; the first look is at once."""
        seen: object = None
        while True:
            if (stamp := self.stamp()) != seen:
                await self.look()
                seen = stamp
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Read the files, and hand them on if they are another version and can be used."""
        try:
            rules = load(self.agreement)
        except NotUsable as error:
            log.error("sharing rules not usable: the version before holds", faults=error.faults)
            return
        if rules.version != self.version:
            await self.take(rules)
            self.version = rules.version
            log.info("sharing rules in force", policy_version=rules.version)

    def stamp(self) -> list[tuple[int, int]]:
        """Return when each file was written, in nanoseconds, and its size in bytes."""
        folder = Path(str(files(__package__)))
        paths = [folder / name for name in NATIONAL] + ([self.agreement] if self.agreement else [])
        return [(s.st_mtime_ns, s.st_size) for p in paths if p.exists() for s in [p.stat()]]
