"""Who and what: school and pupil numbers with their checks, and ids made from what a thing is.

Source: DfE, Unique pupil numbers (UPNs): guide for schools and local authorities, version 2.1.
"""

import re
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import AfterValidator, Field

NAMESPACE = UUID("9b0f4bd3-63d5-5a58-9d0c-6d1f3e1b7c11")
"""Namespace of every id that is made from what makes the thing the same thing."""

UPN_LENGTH = 13
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
"""Check letters in order of their value: A to Z without I, O and S."""

_SHAPE = re.compile(r"[A-Z]\d{11}[\dA-Z]", re.ASCII)


def id_of(*parts: object) -> UUID:
    """Return the id of the thing that these parts identify: the same parts, the same id."""
    return uuid5(NAMESPACE, "/".join(map(str, parts)))


def fault_of(upn: str) -> str | None:
    """Say in words what is wrong with a UPN, without repeating it; None when nothing is."""
    if len(upn) != UPN_LENGTH:
        return f"a UPN has {UPN_LENGTH} characters, this one has {len(upn)}"
    if not _SHAPE.fullmatch(upn):
        return "a UPN is a capital letter, eleven digits and a digit (or a letter, if temporary)"
    if upn[0] not in LETTERS or (upn[12].isalpha() and upn[12] not in LETTERS):
        return "a UPN has no letter I, O or S"
    if upn[0] != check_letter(upn[1:]):
        return "the check letter does not fit the other characters: look for a mistyped one"
    return None


def check_letter(rest: str) -> str:
    """Return the check letter of a UPN's other twelve characters, e.g. "207000016049" gives "P"."""
    values = [int(c) if c.isdigit() else LETTERS.index(c) for c in rest]
    return LETTERS[sum(v * w for v, w in zip(values, range(2, 14), strict=True)) % len(LETTERS)]


def _right_upn(upn: str) -> str:
    fault = fault_of(upn)
    if fault:
        raise ValueError(fault)
    return upn


Urn = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{5}$",
        description="School's Unique Reference Number, six digits.",
        examples=["100000"],
    ),
]
Upn = Annotated[
    str,
    AfterValidator(_right_upn),
    Field(
        min_length=13,
        max_length=13,
        description="Unique Pupil Number, 13 characters with its check letter.",
        examples=["B801200005001"],
    ),
]
