"""Pure: which pupils come to 10 % of a year's sessions missed, and when."""

from dataclasses import dataclass, field

import numpy as np

from services.risk.fold import Bools, Column, Ints

SETTLED_SESSIONS = 40
"""Four weeks, as in `services.risk.trial`: before, two days of illness are 10 %."""
NEVER = -1

PupilYear = tuple[int, int]
"""A pupil's position in the book, and the calendar year in which an academic year began."""


@dataclass
class Crossings:
    """Pupils who were below 10 % when their fifth week began or later, and ended the year above.

    Who has been above since September has nothing that could be foretold; who was above for some
    days of illness and came down again has nothing that should have been.
    """

    pupils: int
    found: dict[PupilYear, int] = field(default_factory=dict)
    """Ordinal of the session with which they first came to 10 %; of the latest year after `end`."""
    _year: int = 0
    _possible: Ints = field(init=False)
    _missed: Ints = field(init=False)
    _below: Bools = field(init=False)
    _above: Bools = field(init=False)
    _first: Ints = field(init=False)

    def __post_init__(self) -> None:
        self._start(0)

    def take(self, column: Column) -> None:
        """Count one session."""
        if column.academic_year != self._year:
            self.end()
            self._start(column.academic_year)
        self._possible += column.possible
        self._missed += column.absent
        had, gone = self._possible, self._missed
        if column.brought is not None:
            had, gone = had + column.brought[0], gone + column.brought[1]
        settled = had >= SETTLED_SESSIONS
        self._above = settled & (gone * 10 >= had)
        came = self._above & self._below & (self._first == NEVER)
        self._first[came] = column.ordinal
        self._below |= settled & ~self._above

    def end(self) -> None:
        """Keep who is above now: the year has ended, or what is looked at."""
        for pupil in np.flatnonzero(self._above & (self._first != NEVER)).tolist():
            self.found[pupil, self._year] = int(self._first[pupil])

    def _start(self, year: int) -> None:
        self._year = year
        self._possible, self._missed = np.zeros((2, self.pupils), np.int32)
        self._below, self._above = np.zeros((2, self.pupils), np.bool_)
        self._first = np.full(self.pupils, NEVER, np.int32)
