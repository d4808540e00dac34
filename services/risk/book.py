"""A school's book: its columns of marks in memory, and the fold that has come as far as they go."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import NO_MARK, POSSIBLE, Codes
from libs.common.events import CalendarSet, Involvement
from libs.common.school_day import (
    Session,
    academic_year_at,
    academic_year_of,
    day_of,
    ordinal_of,
    session_of,
)
from services.risk.enrolment import Enrolment, Roll, roll_of, strike
from services.risk.fold import (
    Alike,
    Column,
    PupilRecord,
    Rule,
    SchoolRecord,
)
from services.risk.involved import WORKER_ROLES, levels_on, turns_of
from services.risk.progress import Fold, Progress
from services.risk.sessions import Sessions, numbered, open_sessions
from services.risk.whole_school import SUDDEN

RECENT_SNAPSHOTS = 4
SPARSE_SNAPSHOTS = 6
"""Progress is kept after each of the last sessions, and after every so many before those."""


class _Snapshot(NamedTuple):
    ordinal: int
    """Of the session after which it was taken."""
    sessions: int
    """How many sessions there were by then: what comes earlier and later takes it away."""
    progress: Progress


@dataclass(repr=False)  # it would hold every pupil's UPN and marks, and take a second to write
class Book:
    """One school's marks, columns over its pupils in their order of arrival.

    Args:
        version: how often the stored book had changed when this one was read from it.
    """

    urn: str
    rules: Sequence[Rule]
    version: int = 0
    upns: list[str] = field(default_factory=list)
    columns: dict[int, Codes] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _enrolments: dict[int, Enrolment] = field(default_factory=dict)
    _involvements: dict[int, Sequence[Involvement]] = field(default_factory=dict)
    _levels: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    _turns: list[int] = field(default_factory=list)
    _roll: Roll | None = None
    _open: dict[int, list[int]] = field(default_factory=dict)
    _sessions: Sessions | None = None
    _snapshots: list[_Snapshot] = field(default_factory=list)

    def position_of(self, upn: str) -> int:
        """Return a pupil's place in every column, a new one for a new pupil."""
        if upn not in self._positions:
            self._positions[upn] = len(self.upns)
            self.upns.append(upn)
            self._levels.clear()
            self._snapshots.clear()
        return self._positions[upn]

    def apply(self, day: date, session: Session, upns: Sequence[str], codes: Codes) -> int:
        """Set these pupils' marks for a session; return its ordinal."""
        ordinal = ordinal_of(day, session)
        places = np.fromiter(map(self.position_of, upns), np.int64, len(upns))
        column = self._padded(self.columns.get(ordinal))
        column[places] = codes
        if ordinal not in self.columns:
            self._sessions = self._with_latest(ordinal)
        self.columns[ordinal] = column
        self._forget_from(ordinal)
        return ordinal

    def enrol(self, upn: str, enrolment: Enrolment) -> None:
        """Set when a pupil is on the roll."""
        self._enrolments[self.position_of(upn)] = enrolment
        self._roll = None
        self._snapshots.clear()

    def involve(self, upn: str, involvements: Iterable[Involvement]) -> None:
        """Set who works with a pupil of this book; others are ignored."""
        if upn in self._positions:
            working = [i for i in involvements if i.role in WORKER_ROLES]
            self._involvements[self._positions[upn]] = working
            self._turns = turns_of(self._involvements)
            self._levels.clear()
            self._snapshots.clear()

    def open_as(self, calendar: CalendarSet) -> None:
        """Set an academic year's school sessions."""
        self._open[calendar.academic_year] = open_sessions(calendar)
        self._sessions = None
        self._snapshots.clear()

    @cached_property
    def _fold(self) -> Fold:
        return Fold(self.rules)

    @property
    def latest_day(self) -> date | None:
        """The latest school day with marks, or None."""
        ordinals = self.sessions().ordinals
        return day_of(int(ordinals[-1])) if len(ordinals) else None

    def sessions(self) -> Sessions:
        """Return the school's sessions up to the latest that has marks.

        With a calendar for the academic year these are its sessions, whether or not their registers
        have come; without one, the sessions that have registers.
        """
        if self._sessions is None:
            self._sessions = numbered(self._ordinals())
        return self._sessions

    def silence(self, latest: int) -> list[int]:
        """Return the planned sessions without a register that end with `latest`, oldest first."""
        planned = sorted({o for year in self._open.values() for o in year if o <= latest})
        silent: list[int] = []
        while planned and planned[-1] not in self.columns:
            silent.insert(0, planned.pop())
        return silent if silent and silent[-1] == latest else []

    def is_planned(self, ordinal: int) -> bool:
        """Whether the calendar has this session."""
        return any(ordinal in year for year in self._open.values())

    def fold(self) -> Progress:
        """Return the rules' progress after the latest session, stepping over what has changed."""
        at, progress = self._resume()
        sessions, roll = self.sessions(), self._roll_as_arrays()
        for number in range(at, len(sessions.ordinals)):
            column = self._column(number, sessions, roll)
            progress = self._fold.advance(progress, column)
            self._snapshots.append(_Snapshot(column.ordinal, number + 1, progress))
            if len(self._snapshots) >= RECENT_SNAPSHOTS + SPARSE_SNAPSHOTS:
                self._thin()
        return progress

    def columns_until(self, latest: int) -> Iterator[Column]:
        """Yield the sessions up to an ordinal, this included, as the rules see them."""
        sessions, roll = self.sessions(), self._roll_as_arrays()
        end = int(np.searchsorted(sessions.ordinals, latest, side="right"))
        return (self._column(number, sessions, roll) for number in range(end))

    def year_group_of(self, position: int, academic_year: int) -> int | None:
        """Return a pupil's National Curriculum year, 0 for Reception; None: not known."""
        return self._enrolments.get(position, Enrolment()).year_group_in(academic_year)

    def enrolled_codes(self, ordinal: int) -> Codes:
        """Return a session's code numbers, shape (P,): 0 for who was not on the roll.

        They may be the book's own: do not change them.
        """
        return self._enrolled(ordinal, self._roll_as_arrays())

    def _enrolled(self, ordinal: int, roll: Roll) -> Codes:
        codes = self.columns.get(ordinal)
        if ordinal // 2 in roll.whole and codes is not None and len(codes) == len(self.upns):
            return codes
        codes = self._padded(codes)
        strike(codes, roll, ordinal // 2)
        return codes

    def record_of(self, position: int) -> PupilRecord:
        """Return one pupil's marks over all sessions, for a rule to explain itself by."""
        sessions = self.sessions()
        codes = np.array(
            [
                column[position] if column is not None and position < len(column) else NO_MARK
                for column in map(self.columns.get, sessions.ordinals.tolist())
            ],
            np.uint8,
        )
        roll = self._roll_as_arrays()
        days = sessions.ordinals // 2
        codes[(days < roll.entered[position]) | (days > roll.left[position])] = NO_MARK
        enrolment = self._enrolments.get(position, Enrolment())
        return PupilRecord(
            sessions.ordinals, sessions.school_days, sessions.school_weeks, codes, enrolment.brought
        )

    def school_record(self) -> SchoolRecord:
        """Return the whole school over all sessions, for a rule on schools to explain itself by."""
        ordinals = self.sessions().ordinals
        codes = [self.enrolled_codes(ordinal) for ordinal in ordinals.tolist()]
        return SchoolRecord(
            ordinals,
            np.array([np.count_nonzero(SUDDEN[one]) for one in codes], np.int32),
            np.array([np.count_nonzero(POSSIBLE[one]) for one in codes], np.int32),
        )

    def as_many(self, position: int, alike: Alike) -> tuple[int, int]:
        """Return how many other pupils had as many such marks, and how many others there were.

        Counted are pupils with a possible session among those compared. Nothing is compared with a
        pupil who had none: (0, 0).
        """
        if not alike.ordinals:
            return 0, 0
        codes = np.stack([self.enrolled_codes(ordinal) for ordinal in alike.ordinals])
        had = alike.codes[codes].sum(axis=0)
        others = np.asarray(POSSIBLE[codes].any(axis=0) & (np.arange(len(had)) != position))
        if not had[position]:
            return 0, 0
        return int((others & (had >= had[position])).sum()), int(others.sum())

    def _with_latest(self, ordinal: int) -> Sessions | None:
        """Return the sessions up to a new latest one; None: they must be numbered anew."""
        sessions = self._sessions
        if sessions is None or not len(sessions.ordinals) or ordinal <= sessions.ordinals[-1]:
            return None
        latest = int(sessions.ordinals[-1])
        planned = self._open.get(academic_year_of(day_of(ordinal)))
        if planned is None or academic_year_of(day_of(latest)) != academic_year_of(day_of(ordinal)):
            return sessions.and_then([ordinal]) if not self._open else None
        at = bisect_right(planned, latest)
        return sessions.and_then(planned[at : bisect_right(planned, ordinal)])

    def _ordinals(self) -> NDArray[np.int64]:
        unplanned = came = np.fromiter(self.columns, np.int64, len(self.columns))
        planned = [np.empty(0, np.int64)]
        for year, ordinals in self._open.items():
            first, end = (ordinal_of(date(y, 8, 1), Session.am) for y in (year, year + 1))
            unplanned = unplanned[(unplanned < first) | (unplanned >= end)]
            planned.append(np.array(ordinals, np.int64))
        every = np.sort(np.concatenate([*planned, unplanned]))
        return np.asarray(every[(np.diff(every, prepend=-1) > 0) & (every <= came.max(initial=0))])

    def _resume(self) -> tuple[int, Progress]:
        if self._snapshots:
            return self._snapshots[-1][1:]
        return 0, self._fold.begin(len(self.upns))

    def _forget_from(self, ordinal: int) -> None:
        while self._snapshots and self._snapshots[-1].ordinal >= ordinal:
            self._snapshots.pop()

    def _thin(self) -> None:
        old = self._snapshots[:-RECENT_SNAPSHOTS]
        self._snapshots = old[1::2] + self._snapshots[-RECENT_SNAPSHOTS:]

    def _column(self, number: int, sessions: Sessions, roll: Roll) -> Column:
        """Return the session with this number as the rules see it."""
        ordinal = sessions.ordinals.item(number)
        year = academic_year_at(ordinal)
        return Column(  # in order: by name it would take twice as long
            ordinal,
            sessions.school_days.item(number),
            sessions.school_weeks.item(number),
            year,
            self._enrolled(ordinal, roll),
            self._workers(ordinal),
            roll.year_groups,
            roll.brought.get(year),
        )

    def _workers(self, ordinal: int) -> NDArray[np.uint8]:
        turn = bisect_right(self._turns, ordinal // 2)
        if turn not in self._levels:
            self._levels[turn] = levels_on(day_of(ordinal), self._involvements, len(self.upns))
        return self._levels[turn]

    def _roll_as_arrays(self) -> Roll:
        if self._roll is None or len(self._roll.entered) != len(self.upns):
            self._roll = roll_of(self._enrolments, len(self.upns))
        return self._roll

    def _padded(self, column: Codes | None) -> Codes:
        if column is not None and len(column) == len(self.upns):
            return column.copy()
        padded = np.zeros(len(self.upns), np.uint8)
        if column is not None:
            padded[: len(column)] = column
        return padded


def when(ordinal: int) -> str:
    """Return a session in words, e.g. "14 September 2026 (morning)"."""
    day = day_of(ordinal)
    half = "morning" if session_of(ordinal) is Session.am else "afternoon"
    return f"{day.day} {day:%B %Y} ({half})"
