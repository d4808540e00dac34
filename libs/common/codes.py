"""Attendance codes as data: what each mark means, as arrays indexed by a code's number.

Source: Working together to improve school attendance (DfE, August 2024), chapter 8, and the School
Attendance (Pupil Registration) (England) Regulations 2024, regulation 10. A code's number is ours,
fixed for good: stored columns hold it. Number 0 is "no mark".
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_MARK = 0
"""The number in a column where a pupil has no mark."""

Codes = NDArray[np.uint8]
"""Code numbers, one per pupil or per session."""


class Code(NamedTuple):
    """One attendance code and how it counts."""

    number: int
    text: str
    meaning: str
    kind: str
    possible: bool
    absent: bool
    authorised: bool
    in_school: bool
    late: bool
    since: date | None
    until: date | None


def _read() -> tuple[Code, ...]:
    with files(__package__).joinpath("attendance_codes.csv").open(encoding="utf-8") as lines:
        return tuple(
            Code(
                number=int(row["number"]),
                text=row["code"],
                meaning=row["meaning"],
                kind=row["kind"],
                possible=row["possible"] == "1",
                absent=row["absent"] == "1",
                authorised=row["authorised"] == "1",
                in_school=row["in_school"] == "1",
                late=row["late"] == "1",
                since=date.fromisoformat(row["since"]) if row["since"] else None,
                until=date.fromisoformat(row["until"]) if row["until"] else None,
            )
            for row in csv.DictReader(lines)
        )


CODES: tuple[Code, ...] = _read()
NUMBERS: dict[str, int] = {code.text: code.number for code in CODES}
BY_NUMBER: dict[int, Code] = {code.number: code for code in CODES}


def mask(numbers: Iterable[int]) -> NDArray[np.bool_]:
    """Return a table, bool, shape (256,), true at these code numbers."""
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    table.setflags(write=False)
    return table


def mask_of(texts: Iterable[str]) -> NDArray[np.bool_]:
    """Return a table, bool, shape (256,), true at these codes, e.g. `mask_of("GNOU")`.

    Raises:
        KeyError: a text is no attendance code.
    """
    return mask(NUMBERS[text] for text in texts)


POSSIBLE = mask(c.number for c in CODES if c.possible)
ABSENT = mask(c.number for c in CODES if c.absent)
AUTHORISED = mask(c.number for c in CODES if c.absent and c.authorised)
UNAUTHORISED = mask(c.number for c in CODES if c.absent and not c.authorised)
IN_SCHOOL = mask(c.number for c in CODES if c.in_school)
LATE = mask(c.number for c in CODES if c.late)


def numbers_of(texts: Sequence[str]) -> Codes:
    """Return each text's code number, uint8, shape (len(texts),); 0 where it is no code."""
    return np.frombuffer(bytes(map(NUMBERS.get, texts, repeat(NO_MARK))), np.uint8)


@lru_cache(maxsize=4096)
def in_use_on(day: date) -> NDArray[np.bool_]:
    """Return a table, bool, shape (256,), true at the codes that may be recorded for `day`."""
    return mask(
        c.number
        for c in CODES
        if (c.since is None or c.since <= day) and (c.until is None or day <= c.until)
    )
