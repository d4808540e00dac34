"""Cumulative sums: how strongly a run of days speaks for a change against a pupil's own habit.

Each day adds the logarithm of how much likelier it is after a change than before it; the sum never
falls below nothing. What was before is the pupil's own rate, drawn towards what is believed of any
pupil while little is known. In thousandths, as whole numbers, so that every machine adds the same.

These are for kernels, and of one pupil: float32 in, float32 out, as a plain number would make it
float64.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); the Bernoulli form as in
Reynolds and Stoumbos, Journal of Quality Technology 31 (1999).
"""

from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined

Rows = NDArray[np.void]
"""A record for each pupil, shape (P,)."""
ONE, UNIT = np.float32(1), np.float32(1000)
SURE = np.float32(0.8)
"""No chance is taken for greater than this."""


def as_record(parameters: dict[str, float]) -> Rows:
    """Return a rule's parameters for its kernel: one record of float64, shape (1,)."""
    return np.array([tuple(parameters.values())], record_of(parameters))


def record_of(parameters: Any) -> np.dtype[np.void]:
    """Return the type of a record with these names, each a float64."""
    return np.dtype([(name, np.float64) for name in parameters])


@inlined
def own_rate(
    seen: np.float32, of: np.float32, events: float, days: float, unusual: np.float32
) -> np.float32:
    """Return a pupil's chance today: own rate drawn to a prior (events, days), times the day's."""
    rate = (seen + np.float32(events)) / (of + np.float32(days)) * unusual
    return min(rate, SURE)


@inlined
def thousandths(ratio: np.float32) -> np.int32:
    """Return the logarithm of a likelihood ratio in thousandths."""
    return np.int32(np.rint(log(np.float64(ratio)) * 1000))


@inlined
def likelier(happened: bool, before: np.float32, after: np.float32) -> np.float32:
    """Return how much likelier it is, after a change, that it happened or not."""
    return after / before if happened else (ONE - after) / (ONE - before)


@inlined
def between(total: int, highest: int) -> np.int32:
    """Keep a sum between nothing and `highest`, so that it fades when the change is over."""
    return np.int32(min(max(total, 0), highest))


@inlined
def added(total: np.int32, ratio: np.float32, highest: int) -> Any:
    """Add what a day speaks for a change: how much likelier it is after one."""
    if total == 0 and ratio <= ONE:  # most pupils on most days: no logarithm is needed
        return np.int32(0)
    return between(total + thousandths(ratio), highest)


@inlined
def above(evidence: np.int32, known: np.float32, needed: float) -> Any:
    """Whether the evidence reaches what is needed: more for who is known to be away often."""
    return evidence >= known * np.float32(needed) * UNIT
