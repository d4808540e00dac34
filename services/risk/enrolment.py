"""Enrolments: when a pupil is on a school's roll, and what they bring from the schools before."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import NO_MARK, Codes
from libs.common.events import RollPupil
from libs.common.school_day import academic_year_of
from services.risk.compiled import kernel
from services.risk.fold import BroughtSessions, Ints
from services.risk.usual import YEAR_GROUPS


class Enrolment(NamedTuple):
    """When a pupil is on the roll, both ends included; None is open or not known."""

    entered_on: date | None = None
    left_on: date | None = None
    cohort: int | None = None
    """Calendar year in which the academic year of the pupil's birth began. The cohort stays when
    its year group's name changes each September."""
    brought: BroughtSessions | None = None
    """This year's sessions at former schools, as those have told this one."""

    def year_group_in(self, academic_year: int) -> int | None:
        """Return the National Curriculum year, 0 for Reception, by age."""
        return None if self.cohort is None else academic_year - self.cohort - 5


def enrolment_of(pupil: RollPupil) -> Enrolment:
    """Return what a school's roll says of a pupil."""
    brought = None
    if pupil.brought is not None:
        missed = pupil.brought.authorised + pupil.brought.unauthorised
        brought = BroughtSessions(pupil.brought.academic_year, pupil.brought.possible, missed)
    cohort = academic_year_of(pupil.date_of_birth)
    return Enrolment(pupil.entered_on, pupil.left_on, cohort, brought)


LAST = date.max.toordinal()


class Roll(NamedTuple):
    """Enrolments as arrays, each of shape (P,)."""

    entered: NDArray[np.int32]
    left: NDArray[np.int32]
    """Ordinals of the first and the last day, both included."""
    whole: range
    """Days on which everybody is on it."""
    year_groups: NDArray[np.uint8] | None
    """Numbers of the cohorts, 1 to `YEAR_GROUPS` - 1; 0: not known. None: nobody's is."""
    brought: dict[int, Ints]
    """By academic year: sessions possible and missed at former schools, shape (2, P)."""


def roll_of(enrolments: Mapping[int, Enrolment], pupils: int) -> Roll:
    """Return the enrolments, by position in the book, as arrays over so many pupils."""
    entered = np.full(pupils, date.min.toordinal(), np.int32)
    left = np.full(pupils, LAST, np.int32)
    groups = np.zeros(pupils, np.uint8)
    brought: dict[int, Ints] = {}
    for position, enrolment in enrolments.items():
        entered[position] = (enrolment.entered_on or date.min).toordinal()
        left[position] = (enrolment.left_on or date.max).toordinal()
        if enrolment.cohort is not None:
            groups[position] = 1 + enrolment.cohort % (YEAR_GROUPS - 1)
        if enrolment.brought is not None:
            year, possible, missed = enrolment.brought
            own = brought.setdefault(year, np.zeros((2, pupils), np.int32))
            own[:, position] = possible, missed
    whole = range(entered.max(initial=0), left.min(initial=LAST) + 1)
    return Roll(entered, left, whole, groups if groups.any() else None, brought)


def strike(codes: Codes, roll: Roll, day: int) -> None:
    """Write no mark for who was not on the roll on a day, by its ordinal."""
    _strike(codes, roll.entered, roll.left, day)


@kernel(np.uint8, np.int32, np.int32, int)
def _strike(codes: Codes, entered: Ints, left: Ints, day: int) -> None:
    for p in range(len(codes)):
        if entered[p] > day or left[p] < day:
            codes[p] = NO_MARK
