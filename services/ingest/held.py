"""What a school holds for one session, and what a register changes in it. All pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, NamedTuple

from libs.common.codes import BY_NUMBER
from libs.common.identifiers import UPN_LENGTH
from services.ingest.registers import Sorted


class Entry(NamedTuple):
    """One pupil's mark: code number, minutes late, comment."""

    code: int
    minutes: int | None
    comment: str | None


class Correction(NamedTuple):
    """A mark that a later register has changed."""

    upn: str
    before: Entry
    now: Entry


class Changes(NamedTuple):
    """What a register has changed: UPNs of new marks, corrections, and how many stay as is."""

    new: list[str]
    corrected: list[Correction]
    unchanged: int

    @property
    def upns(self) -> list[str]:
        """Pupils whose mark is new or changed."""
        return [*self.new, *(correction.upn for correction in self.corrected)]


@dataclass
class Held:
    """A school's marks in one session, as they stand: code number by UPN, in order of arrival."""

    revision: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    minutes: dict[str, int] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def entry(self, upn: str) -> Entry:
        """Return a pupil's mark."""
        return Entry(self.codes[upn], self.minutes.get(upn), self.comments.get(upn))

    def take(self, sent: Sorted) -> Changes:
        """Take a register's good marks; pupils left out keep the mark they had."""
        codes = dict(zip(sent.upns, sent.codes.tolist(), strict=True))
        changes = self._compare(sent, codes) if self.codes else Changes(sent.upns, [], 0)
        upns = changes.upns
        if not upns:
            return changes
        self.revision += 1
        if len(upns) == len(codes) and not self.codes:
            self.codes = codes
        else:
            self.codes.update((upn, codes[upn]) for upn in upns)
        self._take_details(sent, upns)
        return changes

    def _compare(self, sent: Sorted, codes: Mapping[str, int]) -> Changes:
        new, corrected = [], []
        for upn, code in codes.items():
            if upn not in self.codes:
                new.append(upn)
                continue
            before = self.entry(upn)
            now = Entry(code, sent.minutes.get(upn), sent.comments.get(upn))
            if now != before:
                corrected.append(Correction(upn, before, now))
        return Changes(new, corrected, len(codes) - len(new) - len(corrected))

    def _take_details(self, sent: Sorted, upns: list[str]) -> None:
        for kept, given in ((self.minutes, sent.minutes), (self.comments, sent.comments)):
            if kept or given:
                _replace(kept, given, upns)
        if sent.group is not None:
            self.groups.update(dict.fromkeys(upns, sent.group))
        if sent.groups:
            self.groups.update((upn, sent.groups[upn]) for upn in upns if upn in sent.groups)

    def packed(self) -> dict[str, Any]:
        """Return the columns of the stored row."""
        runs = groupby(self.codes, self.groups.get) if self.groups else ()
        details = {
            "minutes": self.minutes,
            "comments": self.comments,
            "groups": [[name, sum(1 for _ in run)] for name, run in runs],
        }
        return {
            "revision": self.revision,
            "upns": "".join(self.codes).encode("ascii"),
            "codes": bytes(self.codes.values()),
            "details": {name: value for name, value in details.items() if value},
        }


def _replace(kept: dict[str, Any], given: Mapping[str, Any], upns: list[str]) -> None:
    for upn in upns:
        if upn in given:
            kept[upn] = given[upn]
        else:
            kept.pop(upn, None)


def unpacked(revision: int, upns: bytes, codes: bytes, details: Mapping[str, Any]) -> Held:
    """Return what a stored row holds."""
    text = upns.decode("ascii")
    parts = [text[i : i + UPN_LENGTH] for i in range(0, len(text), UPN_LENGTH)]
    groups: dict[str, str] = {}
    following = iter(parts)
    for name, length in details.get("groups", ()):
        run = islice(following, length)
        groups.update(dict.fromkeys(run, name) if name is not None else dict.fromkeys(run, ""))
    return Held(
        revision=revision,
        codes=dict(zip(parts, codes, strict=True)),
        minutes=dict(details.get("minutes", {})),
        comments=dict(details.get("comments", {})),
        groups={upn: name for upn, name in groups.items() if name},
    )


def code_text(number: int) -> str:
    """Return the code with this number as people write it."""
    return BY_NUMBER[number].text
