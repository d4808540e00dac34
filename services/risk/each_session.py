"""Each session: the compiled loop over a school's pupils that takes one.

What all rules are given is counted in it, and the shipped rules look (`services.risk.looks`).
"""

from typing import Any, NamedTuple

import numpy as np

from libs.common.codes import POSSIBLE, Codes
from services.risk.compiled import inlined, kernel
from services.risk.fold import Column, Ints, PupilSession
from services.risk.looks import OF_SESSIONS, News, Running, in_turn
from services.risk.pupil_days import Rows
from services.risk.tallies import (
    NO_REASON,
    PRESENT,
    TALLY,
    Tallies,
    Tally,
    add,
    add_present,
    write_tally,
)
from services.risk.whole_school import BEFORE, SUDDEN, WHOLE_SCHOOL, Stepped, WholeSchool, stepped

TOLD = OF_SESSIONS.on_limits
NONE_BROUGHT = np.zeros((2, 0), np.int32)
_look = in_turn(OF_SESSIONS.rules)


class Sessions(NamedTuple):
    """State after a session. P is the number of pupils."""

    academic_year: int
    school_week: int
    tallies: Rows
    """Of `TALLY`, shape (P,)."""
    rules: Rows
    """Of `OF_SESSIONS.record`, shape (P,)."""
    school: WholeSchool


def start_sessions(pupils: int) -> Sessions:
    """Return the state before the first session."""
    return Sessions(0, 0, np.zeros(pupils, TALLY), OF_SESSIONS.start(pupils), BEFORE)


def take_session(
    before: Sessions, column: Column, running: Running
) -> tuple[Sessions, Tallies, News]:
    """Count a session for each pupil, and let rules look at it."""
    year, week = column.academic_year, column.school_week
    new_year = year != before.academic_year
    brought = NONE_BROUGHT if column.brought is None else column.brought
    tallies, rules, news, without_reason, school = _take_session(
        before.tallies, before.rules, before.school.state, column.codes, brought, running.figures,
        column.ordinal, week - before.school_week, new_year,
    )  # fmt: skip
    after = Sessions(year, week, tallies, rules, WholeSchool(*school))
    return after, Tallies(tallies, without_reason), news


@inlined
def _show(
    tally: Tally, record: Any, rules: Any, code: int, when: tuple[int, int, bool], figures: Any
) -> tuple[int, int]:
    write_tally(record, tally)
    seen = PupilSession(tally, code, when[0], when[1], when[2])
    shown: tuple[int, int] = _look(rules, seen, figures)
    return shown


@kernel(
    TALLY, OF_SESSIONS.record, WHOLE_SCHOOL, np.uint8, (np.int32, 2), OF_SESSIONS.figures,
    int, int, bool,
)  # fmt: skip
def _take_session(  # noqa: PLR0913  (one call into compiled code)
    tallies: Rows,
    rules: Rows,
    school: Rows,
    codes: Codes,
    brought: Ints,
    figures: Rows,
    ordinal: int,
    weeks_passed: int,
    new_year: bool,
) -> tuple[Rows, Rows, News, int, Stepped]:
    tallies, rules = tallies.copy(), rules.copy()
    news, count, without_reason, away, of = np.empty((len(codes), 3), np.int32), 0, 0, 0, 0
    for p in range(len(codes)):
        code, when = codes[p], (ordinal, weeks_passed, new_year)
        without_reason += code == NO_REASON
        away += SUDDEN[code]
        of += POSSIBLE[code]
        if PRESENT[code] and not new_year:  # a path of its own, shorter
            tally = add_present(tallies[p])
            changed, ringing = _show(tally, tallies[p], rules[p], code, when, figures[0])
        else:
            own = (brought[0, p], brought[1, p]) if brought.shape[1] else (0, 0)
            tally = add(tallies[p], code, ordinal, own, new_year)
            changed, ringing = _show(tally, tallies[p], rules[p], code, when, figures[0])
        if changed & TOLD:
            news[count, 0], news[count, 1], news[count, 2] = p, changed, ringing
            count += 1
    after = stepped(school, ordinal, away, of)
    return tallies, rules, news[:count].copy(), without_reason, after
