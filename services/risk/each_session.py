"""Each session: the loop over a school's pupils that takes one.

What all rules are given is counted in it, and the shipped rules look (`services.risk.looks`).
"""

from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, Codes
from services.risk.compiled import inlined
from services.risk.fold import Ints, PupilSession
from services.risk.looks import OF_SESSIONS, News, entries_of, in_turn
from services.risk.pupil_days import Rows
from services.risk.signs import CONCERN, NEW_YEAR, SESSION, WITHOUT_REASON
from services.risk.tallies import NO_REASON, PRESENT, TALLY, Tally, add, add_present, write_tally
from services.risk.whole_school import SUDDEN

TOLD = OF_SESSIONS.on_limits
_look = in_turn(OF_SESSIONS)
enter_sessions = entries_of(OF_SESSIONS)


PUPIL = np.dtype([("tally", TALLY), ("rules", OF_SESSIONS.record)], align=True)
"""State after a session."""
FIRST = np.zeros(1, PUPIL)
FIRST["rules"] = OF_SESSIONS.start


class When(NamedTuple):
    """A session's place in time."""

    ordinal: int
    weeks_passed: int
    """School weeks that have begun since the session before."""
    new_year: bool
    """Whether an academic year has."""


class SessionTaken(NamedTuple):
    """What a session comes to."""

    pupils: Rows
    """After it."""
    news: News
    signs: int
    away: int
    of: int
    """Pupils away, and pupils who counted, as `whole_school.take_school` takes them."""


def start_sessions(pupils: int) -> Rows:
    """Return the state before the first session, of `PUPIL`, shape (P,)."""
    return np.repeat(FIRST, pupils)


@inlined
def _show(pupil: Any, tally: Tally, code: int, when: When, figures: Any) -> int:
    write_tally(pupil.tally, tally)
    seen = PupilSession(tally, code, when.ordinal, when.weeks_passed, when.new_year)
    changed, _ = _look(pupil.rules, seen, figures)
    news: int = changed & TOLD
    return news


@inlined
def take_session(
    before: Rows, codes: Codes, worker: Codes, brought: Ints, when: When, figures: Any
) -> SessionTaken:
    """Count a session for each pupil, and let rules look at it.

    Args:
        before: of `PUPIL`.
    """
    pupils, news = before.copy(), np.empty((len(codes), 2), np.int32)
    count, without_reason, concern, away, of = 0, 0, 0, 0, 0
    for p in range(len(codes)):
        code, pupil = codes[p], pupils[p]
        without_reason += code == NO_REASON
        concern += code == NO_REASON and worker[p] > 0
        away += SUDDEN[code]
        of += POSSIBLE[code]
        if PRESENT[code] and not when.new_year:  # a path of its own, shorter
            tally = add_present(pupil.tally)
            changed = _show(pupil, tally, code, when, figures)
        else:
            own = (brought[0, p], brought[1, p]) if brought.shape[1] else (0, 0)
            tally = add(pupil.tally, code, when.ordinal, own, when.new_year)
            changed = _show(pupil, tally, code, when, figures)
        if changed:
            news[count, 0], news[count, 1] = p, changed
            count += 1
    signs = SESSION | (WITHOUT_REASON if without_reason else 0) | (CONCERN if concern else 0)
    signs |= NEW_YEAR if when.new_year else 0
    # In a new year it is `Running.anew` that says who rings.
    return SessionTaken(pupils, news[: 0 if when.new_year else count], signs, away, of)
