"""Who reads which output, and what of which child they may see: told by hand, not by policies."""

from typing import NamedTuple

from tests.system.leaks import Word

NAMES = {"given_name", "family_name"}


class Reader(NamedTuple):
    """Who reads an output: a practitioner or agency, its kind, its schools or children."""

    name: str
    kind: str
    urns: frozenset[str] = frozenset()
    upns: frozenset[str] = frozenset()
    """Of the children with whom they work."""


NOBODY = Reader("nobody in particular", "none")


class Output(NamedTuple):
    """A text that came out, where, and who reads it."""

    where: str
    reader: Reader
    text: str


def may_see(reader: Reader, word: Word, school: str) -> bool:
    """Whether a reader may see this part of this child's data, at this school.

    Comments are for a school's own system alone, which sent them, and for the child's own record.
    """
    if reader.kind == "school's system":
        return school in reader.urns
    if reader.kind == "subject":
        return word.upn in reader.upns
    if reader.kind == "school":
        return school in reader.urns and word.field in {*NAMES, "upn"}
    if reader.kind == "local_authority":
        return word.field in {*NAMES, "upn"}
    if reader.kind in {"social_care", "police"}:
        return word.upn in reader.upns and word.field in {*NAMES, reader.kind}
    return False
