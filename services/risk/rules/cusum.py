"""Cumulative sums: how strongly a run of days speaks for a change against a pupil's own habit.

Each day adds the logarithm of how much likelier it is after a change than before it; the sum never
falls below nothing. What was before is the pupil's own rate, drawn towards what is believed of any
pupil while little is known. In thousandths, as whole numbers, so that every machine adds the same.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); the Bernoulli form as in
Reynolds and Stoumbos, Journal of Quality Technology 31 (1999).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from services.risk.fold import Bools, Ints

Floats = NDArray[np.float32]
UNIT = np.float32(1000)
SURE = np.float32(0.8)
"""No chance is taken for greater than this."""


def own_rate(
    seen: Floats, of: Floats, prior: tuple[float, float], unusual: Floats | np.float32
) -> Floats:
    """Return a pupil's chance today: own rate drawn to a prior (events, days), times the day's."""
    events, days = np.float32(prior[0]), np.float32(prior[1])
    return np.asarray(np.minimum((seen + events) / (of + days) * unusual, SURE))


def thousandths(ratio: Floats) -> Ints:
    """Return the logarithm of a likelihood ratio in thousandths, int32."""
    return cast("Ints", np.rint(np.log(ratio) * UNIT).astype(np.int32))


def added(total: Ints, gains: Ints, highest: Ints | int) -> Ints:
    """Add, and keep between nothing and `highest`, so that a sum fades when the change is over."""
    return cast("Ints", np.clip(total + gains, 0, highest).astype(np.int32))


def event_gains(happened: Bools, could: Bools, before: Floats, after: Floats) -> Ints:
    """Return what each pupil's day adds: it happened or not, where it could have."""
    one = np.float32(1)
    ratio = np.where(happened, after / before, (one - after) / (one - before))
    return cast("Ints", np.where(could, thousandths(ratio), 0).astype(np.int32))


def above(evidence: Ints, known: Floats, needed: float) -> Bools:
    """Whether the evidence reaches what is needed: more for who is known to be away often."""
    return np.asarray(evidence >= known * np.float32(needed) * UNIT)
