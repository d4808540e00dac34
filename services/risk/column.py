"""Column: one session of a school, as every rule sees it."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE, UNAUTHORISED, Codes
from services.risk.days import Day
from services.risk.pupil_days import Rows
from services.risk.signals import Bools, Ints
from services.risk.signs import SESSION
from services.risk.tallies import NO_TALLIES
from services.risk.whole_school import start_school

AT_FIRST = start_school()


class Looked(Protocol):
    """What all rules are given, counted once for all of them."""

    @property
    def sessions(self) -> Rows:
        """Of each pupil, shape (P,); its field `tally` is of `TALLY`."""

    @property
    def days(self) -> Rows:
        """Of each pupil, shape (P,); its field `habits` is of `HABITS`."""

    @property
    def school(self) -> Rows:
        """Of the school, shape (1,); its field `whole` is of `WHOLE_SCHOOL`."""


class Column(NamedTuple):
    """One session of a school, as every rule sees it. P is the number of pupils in the book.

    A pupil who was not on the roll, or whose mark has not come, has code number 0: no mark.
    """

    ordinal: int
    """The session's place in time: `libs.common.school_day.ordinal_of`."""
    school_day: int
    """The school day's number in the book, from 0: closures, holidays and weekends not counted."""
    school_week: int
    """The school week's number in the book, from 0: weeks without a school day not counted."""
    academic_year: int
    """The calendar year in which this academic year began."""
    codes: Codes
    """Code numbers, uint8, shape (P,)."""
    worker: NDArray[np.uint8]
    """Who works with the pupil that day, shape (P,): 0 nobody, 1 a social worker or youth justice
    worker, 2 the same on a footing that makes an unexplained absence urgent."""
    year_groups: NDArray[np.uint8] | None = None
    """Each pupil's year group as a number, shape (P,); None: not known."""
    brought: Ints | None = None
    """Sessions possible and missed at former schools this academic year, shape (2, P); None: no
    pupil has brought any."""
    signs: int = SESSION
    """Of `services.risk.signs`, as bits."""
    looked: "Looked | None" = None
    """What has been counted of each pupil and of the school, this session included."""
    day: Day | None = None
    """The school day that this session completes, for rules on habits that heed `DAY` or every
    session; None: it completes none."""

    @property
    def tallies(self) -> Rows:
        """What each pupil's sessions come to, this one included: of `TALLY`, shape (P,)."""
        return NO_TALLIES if self.looked is None else self.looked.sessions["tally"]

    @property
    def recent(self) -> NDArray[np.uint64]:
        """Each pupil's last 64 school days with hard absence or leaving, newest in bit 0, (P,)."""
        if self.looked is None:
            return np.zeros(len(self.codes), np.uint64)
        return np.ascontiguousarray(self.looked.days["habits"]["hard_history"])

    @property
    def school(self) -> Rows:
        """The whole school after this session: of `WHOLE_SCHOOL`, shape (1,)."""
        return AT_FIRST if self.looked is None else self.looked.school["whole"]

    @property
    def possible(self) -> Bools:
        """Sessions that count, bool, shape (P,)."""
        return POSSIBLE[self.codes]

    @property
    def absent(self) -> Bools:
        """Authorised and unauthorised absence, bool, shape (P,)."""
        return ABSENT[self.codes]

    @property
    def unauthorised(self) -> Bools:
        """Unauthorised absence, bool, shape (P,)."""
        return UNAUTHORISED[self.codes]


def column_of(codes: Codes, **when: Any) -> Column:
    """Make a `Column` from code numbers, contiguous and writable as kernels take them."""
    return Column(codes=np.require(codes, np.uint8, ("C", "W")), **when)
