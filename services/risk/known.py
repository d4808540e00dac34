"""Known to the school: of a child who is often away in any case, only a marked change is news."""

import numpy as np

from services.risk.compiled import inlined, ones_in

ONE, HALF = np.float32(1), np.float32(0.5)
SETTLED_DAYS = 15
"""Recent school days that do not count towards what a pupil is used to."""
RECENT = np.uint64((1 << SETTLED_DAYS) - 1)
PRIOR_ABSENT, PRIOR_DAYS = np.float32(0.35), 7
"""What is believed of a pupil of whom nothing is known: 5 % of days, worth seven days."""
ZERO, TWO = np.float32(0), np.float32(2)
KNOWN_FROM, KNOWN_SPAN, KNOWN_WEIGHT = np.float32(0.15), np.float32(0.11), np.float32(0.8)
"""From this share of days with absence more is needed, by `KNOWN_WEIGHT` for each span above it."""


@inlined
def known(used_to: np.float32) -> np.float32:
    """Return how much more than of others is needed to say that this pupil has changed."""
    more = min(max((used_to - KNOWN_FROM) / KNOWN_SPAN, ZERO), TWO)
    return more * KNOWN_WEIGHT + ONE


@inlined
def used_to(history: np.uint64, absent_days: np.float32, days: int) -> np.float32:
    """Share of days with absence: all but the latest weeks, or half of all, whichever is more.

    Half of what is seen is taken for habit, so that who is often away from the first day on is
    known for it before the first weeks are over.
    """
    recent = np.float32(ones_in(history & RECENT))
    settled = np.float32(max(0, days - SETTLED_DAYS) + PRIOR_DAYS)
    before = (absent_days - recent + PRIOR_ABSENT) / settled
    ever = (absent_days * HALF + PRIOR_ABSENT) / np.float32(days + PRIOR_DAYS)
    return max(before, ever)
