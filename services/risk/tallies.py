"""Tallies: what rules on fixed limits see of each pupil so far, counted once for all of them."""

from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, UNAUTHORISED, mask_of
from services.risk.compiled import inlined
from services.risk.pupil_days import Rows

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


class Tallies(NamedTuple):
    """After a session."""

    pupils: Rows
    """Of `TALLY`, shape (P,)."""
    without_reason: int = 0
    """This session's marks that are N: mostly, there are none."""


NO_TALLIES = Tallies(np.zeros(0, TALLY))


@inlined
def tally_session(tally: Any, code: int, ordinal: int, new_year: bool) -> None:
    """Lengthen, begin or end the pupil's run; a session that does not count does neither."""
    if new_year:
        tally.possible, tally.missed, tally.ill = 0, 0, 0
    if not POSSIBLE[code]:
        return
    tally.possible += 1
    if PRESENT[code]:  # nearly everybody
        tally.run, tally.on_leave = 0, False
        return
    tally.missed += 1
    tally.ill += code == ILLNESS
    if not UNAUTHORISED[code]:
        tally.run = 0
    else:
        if tally.run == 0:
            tally.run_since, tally.run_after_leave = ordinal, tally.on_leave
        tally.run += 1
    tally.on_leave = LEAVE[code]
