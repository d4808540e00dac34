"""Known to the school: of a child who is often away in any case, only a marked change is news."""

from typing import Any

import numpy as np

from services.risk.compiled import inlined

PRIOR_ABSENT, PRIOR_DAYS = 0.35, 7
"""What is believed of a pupil of whom nothing is known: 5 % of days, worth seven days."""
KNOWN_FROM, KNOWN_SPAN, KNOWN_WEIGHT, KNOWN_SPANS = 0.115, 0.11, 0.62, 2.5
"""From this share of days with absence more is needed, by `KNOWN_WEIGHT` for each span above it."""
EARLY_DAYS, EARLY_WEIGHT = 15, 0.95
"""In the first school days of a book more is needed: nobody's habits are known yet."""


@inlined
def known(absent: np.float32, counted: np.float32, days: int) -> Any:
    """Return how much more than of others is needed to say that this pupil has changed.

    Args:
        absent: settled days with absence.
        counted: settled days that counted.
        days: school days in the book before this one.
    """
    used_to: Any = (absent + PRIOR_ABSENT) / (counted + PRIOR_DAYS)
    early = 1 + EARLY_WEIGHT * max(0.0, 1 - days / EARLY_DAYS)
    if used_to <= KNOWN_FROM:
        return early
    return (1 + KNOWN_WEIGHT * min((used_to - KNOWN_FROM) / KNOWN_SPAN, KNOWN_SPANS)) * early
