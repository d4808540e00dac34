"""Registers without a database: which marks can be taken, and what they change. All pure."""

from dataclasses import dataclass, field
from datetime import date
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import BY_NUMBER, NO_MARK, NUMBERS, Codes, in_use_on, numbers_of
from libs.common.identifiers import fault_of
from libs.common.school_day import Session
from services.ingest.upns import well_formed

PRESENT = {Session.am: NUMBERS["/"], Session.pm: NUMBERS["\\"]}
OTHER_HALF = {Session.am: PRESENT[Session.pm], Session.pm: PRESENT[Session.am]}
LATE = frozenset("LU")
AS_SENT_MAX = 40


@dataclass(frozen=True)
class Rejected:
    """A mark that cannot be taken; `upn` and `code` as they were sent."""

    index: int
    upn: str | None
    code: str | None
    reason: str


def as_sent(text: str) -> str:
    """Return what was sent in the form in which it is kept: short, and without NUL."""
    return text[:AS_SENT_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True)
class Note:
    """A mark that was taken for another one."""

    index: int
    upn: str
    note: str


@dataclass(frozen=True)
class Marks:
    """Marks as they were sent, parallel lists; what few of them have, by position.

    Args:
        indexes: each mark's place in the body, from 0.
        groups: groups of single marks, where they differ from `group`.
        malformed: marks that could not even be read.
    """

    indexes: list[int]
    upns: list[str]
    codes: list[str]
    minutes: dict[int, int] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    group: str | None = None
    groups: dict[int, str] = field(default_factory=dict)
    malformed: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class Sorted:
    """The good marks by UPN, and those that were rejected."""

    upns: list[str]
    codes: Codes
    minutes: dict[str, int]
    comments: dict[str, str]
    groups: dict[str, str]
    group: str | None
    rejected: list[Rejected]
    notes: list[Note]


def sort_out(day: date, session: Session, marks: Marks) -> Sorted:
    """Part the good marks from the bad; vectorised, so only bad ones cost a loop."""
    numbers = numbers_of(marks.codes)
    other_half = numbers == OTHER_HALF[session]
    numbers = np.where(other_half, PRESENT[session], numbers).astype(np.uint8)
    good = well_formed(marks.upns) & in_use_on(day)[numbers]
    for place in marks.minutes:
        good[place] &= marks.codes[place] in LATE
    bad = [_rejected(day, marks, int(i)) for i in np.flatnonzero(~good)]
    if len(set(marks.upns)) < len(marks.upns):
        bad += _twice(marks, good)
    notes = [_note(session, marks, int(i)) for i in np.flatnonzero(other_half & good)]
    upns = marks.upns if good.all() else list(compress(marks.upns, good))
    return Sorted(
        upns=upns,
        codes=numbers[good],
        minutes={marks.upns[i]: n for i, n in marks.minutes.items() if good[i]},
        comments={marks.upns[i]: text for i, text in marks.comments.items() if good[i]},
        groups={marks.upns[i]: name for i, name in marks.groups.items() if good[i]},
        group=marks.group,
        rejected=sorted([*bad, *marks.malformed], key=lambda mark: mark.index),
        notes=notes,
    )


def _twice(marks: Marks, good: NDArray[np.bool_]) -> list[Rejected]:
    reason = "this pupil is in the register twice: the first mark was taken; send one mark a pupil"
    seen: set[str] = set()
    rejected = []
    for place, upn in enumerate(marks.upns):
        if good[place] and upn in seen:
            good[place] = False
            rejected.append(Rejected(marks.indexes[place], upn, marks.codes[place], reason))
        elif good[place]:
            seen.add(upn)
    return rejected


def _rejected(day: date, marks: Marks, place: int) -> Rejected:
    upn, code = marks.upns[place], marks.codes[place]
    reason = fault_of(upn) or _fault_of_code(code, day)
    reason = reason or "minutes_late goes with code L or U only: leave it out, or mend the code"
    return Rejected(marks.indexes[place], as_sent(upn), as_sent(code), reason)


def _fault_of_code(code: str, day: date) -> str | None:
    number = NUMBERS.get(code, NO_MARK)
    if number == NO_MARK:
        tidy = code.strip().upper()
        hint = f"; did you mean {tidy}?" if tidy in NUMBERS else ""
        return f"there is no such attendance code: use one of the Department's, as it stands{hint}"
    known = BY_NUMBER[number]
    if known.since is not None and day < known.since:
        return f"code {code} is in use from {known.since} only: use the code of that day"
    if known.until is not None and day > known.until:
        return f"code {code} was in use until {known.until} only: use the code of that day"
    return None


def _note(session: Session, marks: Marks, place: int) -> Note:
    taken = BY_NUMBER[PRESENT[session]].text
    note = f"{marks.codes[place]} is the other half's mark: taken as {taken}"
    return Note(marks.indexes[place], marks.upns[place], note)
