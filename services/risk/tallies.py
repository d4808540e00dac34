"""Tallies: what rules on fixed limits see of each pupil so far, counted once for all of them."""

from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, UNAUTHORISED, mask_of
from services.risk.compiled import inlined

SESSIONS_A_DAY = 2
ILLNESS, NO_REASON = NUMBERS["I"], NUMBERS["N"]
LEAVE = mask_of(("C", "C1", "H"))
"""Leave with an end: who does not return from it may be missing education."""
PRESENT = POSSIBLE & ~ABSENT


TALLY = np.dtype(
    [
        # Sessions of this academic year that counted, in this school; and those of them absent.
        ("possible", np.int32),
        ("missed", np.int32),
        # The same, with what the pupil has brought from former schools.
        ("possible_in_all", np.int32),
        ("missed_in_all", np.int32),
        # Sessions of illness (I) in this academic year.
        ("ill", np.int32),
        # Possible sessions in the present run of unauthorised absence; 0: none.
        ("run", np.int32),
        # Ordinal of the run's first session.
        ("run_since", np.int32),
        # Whether the possible session before the run was leave.
        ("run_after_leave", np.bool_),
        # Whether the latest possible session was leave.
        ("on_leave", np.bool_),
    ],
    align=True,
)


NO_TALLIES = np.zeros(0, TALLY)


class Tally(NamedTuple):
    """One pupil's, as in `TALLY`."""

    possible: int
    missed: int
    possible_in_all: int
    missed_in_all: int
    ill: int
    run: int
    run_since: int
    run_after_leave: bool
    on_leave: bool


@inlined
def add_present(tally: Any) -> Tally:
    """Return a pupil's tally after a session in school: that of nearly everybody."""
    possible, in_all = tally.possible + 1, tally.possible_in_all + 1
    missed, missed_in_all, ill = tally.missed, tally.missed_in_all, tally.ill
    since, after_leave = tally.run_since, tally.run_after_leave
    return Tally(possible, missed, in_all, missed_in_all, ill, 0, since, after_leave, False)


@inlined
def add(tally: Any, code: int, ordinal: int, brought: tuple[int, int], new_year: bool) -> Tally:
    """Return a pupil's tally after a session.

    It lengthens, begins or ends the run of unauthorised absence; if it does not count, neither.
    """
    possible, missed, ill = tally.possible, tally.missed, tally.ill
    if new_year:
        possible, missed, ill = 0, 0, 0
    run, since, after_leave = tally.run, tally.run_since, tally.run_after_leave
    on_leave = tally.on_leave
    if POSSIBLE[code]:
        possible += 1
        missed += ABSENT[code]
        ill += code == ILLNESS
        if not UNAUTHORISED[code]:
            run = 0
        else:
            if run == 0:
                since, after_leave = ordinal, on_leave
            run += 1
        on_leave = LEAVE[code]
    in_all, missed_in_all = possible + brought[0], missed + brought[1]
    return Tally(possible, missed, in_all, missed_in_all, ill, run, since, after_leave, on_leave)


@inlined
def write_tally(record: Any, tally: Tally) -> None:
    """Write a pupil's tally into their record of `TALLY`."""
    record.possible, record.missed, record.ill = tally.possible, tally.missed, tally.ill
    record.possible_in_all, record.missed_in_all = tally.possible_in_all, tally.missed_in_all
    record.run, record.run_since = tally.run, tally.run_since
    record.run_after_leave, record.on_leave = tally.run_after_leave, tally.on_leave
