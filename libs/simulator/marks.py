"""A school's year of marks as its registers tell it: N on the day, the reason some days later."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import BY_NUMBER, NO_MARK, NUMBERS, Codes, mask_of
from libs.common.school_day import Session
from libs.simulator.climate import Climate
from libs.simulator.spells import Bools

NO_REASON_SHARE = 0.36
NO_REASON_STILL_SHARE = 0.06
"""Share of days of illness or unauthorised absence that begin as N: a spell's first day, and any
later one. Fitted to about 1 % of all marks."""
NEVER_EXPLAINED_SHARE = 0.038
"""Share of those that stay N. Fitted to 0.05 % of sessions."""
DAYS_TO_REASON = (1, 1, 1, 2, 2, 3, 4, 5, 8)
"""School days until the reason comes, each as likely."""
NEVER = 10_000
"""The place of a day that never comes."""

_MAY_BE_N = mask_of("IO")
_LATE = frozenset((NUMBERS["L"], NUMBERS["U"]))
_TEXT = {number: code.text for number, code in BY_NUMBER.items()}


class Register(NamedTuple):
    """A register, or a correction with only the changed marks. `sent_on`: the day it is sent."""

    day: date
    session: Session
    group: str | None
    marks: list[dict[str, Any]]
    sent_on: date


class Marks(NamedTuple):
    """A year of marks, shape (S, P): S = 2T sessions, T school days. Code 0: no mark.

    `final` is what the register says in the end, `first` what it said on the day; `due` is the
    place of the school day, int16, on which a changed mark is sent, `minutes` how late L and U are.
    """

    final: Codes
    first: Codes
    due: NDArray[np.int16]
    minutes: NDArray[np.uint8]


def marks_of(rng: np.random.Generator, codes: Codes, unexplained: Bools, climate: Climate) -> Marks:
    """Return the year as told by registers, where `codes`, shape (S, P), is what happened.

    Args:
        unexplained: marks that must begin as N, shape (S, P).
    """
    days = len(codes) // 2
    shape = (days, codes.shape[1])
    forced = np.repeat(unexplained[0::2] | unexplained[1::2], 2, axis=0)
    away = _MAY_BE_N[codes[1::2]]
    still = np.vstack([np.zeros((1, shape[1]), np.bool_), away[:-1]])
    chance = climate.silence * np.where(still, NO_REASON_STILL_SHARE, NO_REASON_SHARE)
    drawn = np.repeat(rng.random(shape) < chance, 2, axis=0)
    silent = (drawn | forced) & _MAY_BE_N[codes]
    days_to = np.maximum(1, np.rint(climate.delay * np.array(DAYS_TO_REASON)))
    after = days_to.astype(np.int16)[rng.integers(0, len(DAYS_TO_REASON), shape)]
    due = np.arange(days, dtype=np.int16)[:, None] + after
    due[rng.random(shape) < NEVER_EXPLAINED_SHARE] = NEVER
    due = np.repeat(due, 2, axis=0)
    first = np.where(silent, np.uint8(NUMBERS["N"]), codes)
    final = np.where(silent & (due >= days), np.uint8(NUMBERS["N"]), codes)
    minutes = rng.integers(1, 30, codes.shape, np.uint8)
    minutes[codes == NUMBERS["U"]] += 30
    return Marks(final, first, due, minutes)


def registers_of(
    marks: Marks,
    upns: Sequence[str],
    days: Sequence[date],
    shut: frozenset[tuple[date, str]],
    span: tuple[date, date],
) -> Iterator[Register]:
    """Yield the registers sent in a span of days, both ends included, in order of sending.

    A day's corrections of earlier days come before its own morning register.
    """
    rows, columns = np.nonzero(marks.first != marks.final)
    due = marks.due[rows, columns]
    order = np.lexsort((columns, rows, due))
    rows, columns, due = rows[order], columns[order], due[order]
    for place, day in enumerate(days):
        if not span[0] <= day <= span[1]:
            continue
        here = slice(*np.searchsorted(due, [place, place + 1]).tolist())
        pairs = zip(rows[here].tolist(), columns[here].tolist(), strict=True)
        for row, cells in groupby(pairs, key=lambda pair: pair[0]):
            session = Session.pm if row % 2 else Session.am
            told = _told(marks, marks.final, row, [column for _, column in cells], upns)
            yield Register(days[row // 2], session, None, told, day)
        for row, session in ((2 * place, Session.am), (2 * place + 1, Session.pm)):
            if (day, str(session)) not in shut:
                present = np.flatnonzero(marks.first[row] != NO_MARK).tolist()
                told = _told(marks, marks.first, row, present, upns)
                yield Register(day, session, None, told, day)


def _told(
    marks: Marks, codes: Codes, row: int, columns: list[int], upns: Sequence[str]
) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    numbers, minutes = codes[row].tolist(), marks.minutes[row].tolist()
    for column in columns:
        number = numbers[column]
        mark: dict[str, Any] = {"upn": upns[column], "code": _TEXT[number]}
        if number in _LATE:
            mark["minutes_late"] = minutes[column]
        told.append(mark)
    return told
