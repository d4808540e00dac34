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
KNOWN_FROM, KNOWN_SPAN, KNOWN_WEIGHT = 0.15, 0.11, 0.8
"""From this share of days with absence the bar rises, by so much of itself for each span more."""


def own_rate(seen: Floats, of: Floats, prior: tuple[float, float], unusual: float) -> Floats:
    """Return a pupil's chance today: own rate drawn to a prior (events, days), times the day's."""
    events, days = np.float32(prior[0]), np.float32(prior[1])
    return np.asarray(np.minimum((seen + events) / (of + days) * np.float32(unusual), SURE))


def thousandths(ratio: Floats) -> Ints:
    """Return the logarithm of a likelihood ratio in thousandths, int32."""
    return cast("Ints", np.rint(np.log(ratio) * UNIT).astype(np.int32))


def added(total: Ints, gains: Ints | int, highest: int) -> Ints:
    """Add, and keep between nothing and `highest`, so that a sum fades when the change is over."""
    return cast("Ints", np.clip(total + gains, 0, highest).astype(np.int32))


def event_gains(happened: Bools, could: Bools, before: Floats, after: Floats) -> Ints:
    """Return what each pupil's day adds: it happened or not, where it could have."""
    one = np.float32(1)
    ratio = np.where(happened, after / before, (one - after) / (one - before))
    return cast("Ints", np.where(could, thousandths(ratio), 0).astype(np.int32))


def bar(used_to: Floats, needed: float) -> Ints:
    """Return the sum at which a pupil rings, in thousandths: higher for who is often away already.

    A child who has missed a seventh or more of the year is known to the school; only a marked
    change is news.
    """
    more = np.clip((used_to - np.float32(KNOWN_FROM)) / np.float32(KNOWN_SPAN), 0, 2)
    return np.asarray((needed + needed * KNOWN_WEIGHT * more) * UNIT).astype(np.int32)
