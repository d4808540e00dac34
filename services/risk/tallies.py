"""Tallies: what rules on fixed limits see of each pupil so far, counted once for all of them."""

from typing import NamedTuple

import numpy as np

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, UNAUTHORISED, Codes, mask_of
from services.risk.compiled import kernel
from services.risk.pupil_days import Rows
from services.risk.whole_school import SUDDEN

ILLNESS = NUMBERS["I"]
LEAVE = mask_of(("C", "C1", "H"))
"""Leave with an end: who does not return from it may be missing education."""
PRESENT = POSSIBLE & ~ABSENT


TALLY = np.dtype(
    [
        # Sessions of this academic year that counted, in this school; and those of them absent.
        ("possible", np.int32),
        ("missed", np.int32),
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
    """State after a session."""

    academic_year: int
    pupils: Rows
    """Of `TALLY`, shape (P,)."""
    longest_run: int = 0
    most_ill: int = 0
    """The most that any pupil has of `run`, and of `ill`: mostly, nobody reaches a limit."""
    away: int = 0
    of: int = 0
    """This session's pupils away as `whole_school.SUDDEN` has it, and those for whom it counted."""


def start_tallies(pupils: int) -> Tallies:
    """Return tallies before the first session."""
    return Tallies(0, np.zeros(pupils, TALLY))


NO_TALLIES = start_tallies(0)


def step_tallies(before: Tallies, ordinal: int, academic_year: int, codes: Codes) -> Tallies:
    """Take a session's code numbers, shape (P,)."""
    new_year = academic_year != before.academic_year
    return Tallies(academic_year, *_count(before.pupils, codes, ordinal, new_year))


@kernel(TALLY, np.uint8, int, bool)
def _count(
    before: Rows, codes: Codes, ordinal: int, new_year: bool
) -> tuple[Rows, int, int, int, int]:
    """Lengthen, begin or end each pupil's run; a session that does not count does neither."""
    pupils, longest_run, most_ill, away, of = before.copy(), 0, 0, 0, 0
    for p in range(len(codes)):
        code, tally = codes[p], pupils[p]
        if new_year:
            tally.possible, tally.missed, tally.ill = 0, 0, 0
        away += SUDDEN[code]
        if POSSIBLE[code]:
            of += 1
            tally.possible += 1
            if PRESENT[code]:  # nearly everybody
                tally.run, tally.on_leave = 0, False
            else:
                tally.missed += 1
                tally.ill += code == ILLNESS
                if not UNAUTHORISED[code]:
                    tally.run = 0
                else:
                    if tally.run == 0:
                        tally.run_since, tally.run_after_leave = ordinal, tally.on_leave
                    tally.run += 1
                tally.on_leave = LEAVE[code]
        longest_run, most_ill = max(longest_run, tally.run), max(most_ill, tally.ill)
    return pupils, longest_run, most_ill, away, of
