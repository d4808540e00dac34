"""A pupil's school day: what is seen of it, whichever pupil and whatever the habit."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, mask_of
from services.risk.compiled import inlined

Rows = NDArray[np.void]
"""A record for each pupil, shape (P,)."""

AFTERNOON = 1
HARD = mask_of("O")
"""Absence that a reason was asked for and none found."""
SOFT = mask_of("IMN")
"""Illness, appointments, and what nobody has explained yet: it may still turn out to be either.

Leave, holidays, suspension and study leave (C, G, E, S …) are neither: the school knows of them.
"""
LATE = mask_of("LU")
IN_SCHOOL = (POSSIBLE & ~ABSENT) | mask_of("U")
APPOINTMENT, SUSPENDED = NUMBERS["M"], NUMBERS["E"]


PUPIL_DAY = np.dtype(
    [
        # Absent, hard or soft, in at least one session.
        ("absent", np.bool_),
        # An absence begins: absent today, and not on the pupil's day before.
        ("begins", np.bool_),
        # An absence could have begun today.
        ("free", np.bool_),
        # Was absent on the pupil's day before, and counted today.
        ("goes_on", np.bool_),
        # At least one session is hard absence (O).
        ("hard", np.bool_),
        # In school in the morning and absent, without an appointment, in the afternoon; not after a
        # day of absence: an illness that was not over is no leaving.
        ("left", np.bool_),
        # In school in the morning, and the afternoon counts.
        ("could_leave", np.bool_),
        # Arrived late, before or after the register closed.
        ("late", np.bool_),
        # In school in the morning, late or not.
        ("came", np.bool_),
        # Suspended in at least one session (E).
        ("suspended", np.bool_),
        # The absence is one with the school's or the year group's: so many are away with such a
        # code that it says nothing about the pupil.
        ("shared", np.bool_),
        # So much of the pupil's recent absence is illness that it is a medical matter.
        ("medical", np.bool_),
        # Days of illness and appointments, fading by 3 % on each day that counts.
        ("illness", np.float32),
        # The chance that a hard, and that a soft, absence begins today: by the pupil's settled
        # habit, drawn to what is believed of any pupil, and by the year group's day.
        ("hard_chance", np.float64),
        ("soft_chance", np.float64),
        # How much more than of others is needed to say that this pupil has changed: 1 for most. A
        # child who has missed a seventh or more of the year's days, the last four weeks left out,
        # is known to the school: only a marked change is news.
        ("known", np.float64),
        # The pupil's last 64 days with hard absence or leaving, newest in bit 0.
        ("recent", np.uint64),
        # The rules of `looks.OF_DAYS` that ring for the pupil, by their places, as bits.
        ("ringing", np.uint32),
    ],
    align=True,
)


class Seen(NamedTuple):
    """What is seen of one pupil's day, as in `PUPIL_DAY`."""

    absent: bool
    begins: bool
    free: bool
    goes_on: bool
    hard: bool
    left: bool
    could_leave: bool
    late: bool
    came: bool
    suspended: bool


class Weighed(NamedTuple):
    """One pupil's day as rules see it: the fields of `PUPIL_DAY`, but for what rings."""

    absent: bool
    begins: bool
    free: bool
    goes_on: bool
    hard: bool
    left: bool
    could_leave: bool
    late: bool
    came: bool
    suspended: bool
    shared: bool
    medical: bool
    illness: np.float32
    hard_chance: float
    soft_chance: float
    known: float
    recent: np.uint64


ORDINARY_DAY = Seen(
    absent=False,
    begins=False,
    free=True,
    goes_on=False,
    hard=False,
    left=False,
    could_leave=True,
    late=False,
    came=True,
    suspended=False,
)
"""In school, in time, as on the pupil's day before: most days of most pupils."""
ORDINARY = IN_SCHOOL & ~LATE
"""The marks of such a day."""


@inlined
def write_day(record: Any, day: Weighed) -> None:
    """Write a pupil's day into their record of `PUPIL_DAY`."""
    record.absent, record.begins, record.free = day.absent, day.begins, day.free
    record.goes_on, record.hard, record.left = day.goes_on, day.hard, day.left
    record.could_leave, record.late, record.came = day.could_leave, day.late, day.came
    record.suspended, record.shared, record.medical = day.suspended, day.shared, day.medical
    record.illness, record.known, record.recent = day.illness, day.known, day.recent
    record.hard_chance, record.soft_chance = day.hard_chance, day.soft_chance
