"""Odds that a pupil's habit has changed, since whatever day: the sum over every day since.

Each day multiplies the odds by how much likelier it is after a change than before it, and adds the
chance that the change begins with the next. So a day of the usual takes odds down, and one of the
changed up. What was before is the pupil's own habit, of which the latest weeks are no part yet.

Nothing but sums, products and quotients of whole float64: every machine comes to the same.

Source: Shiryaev, "On optimum methods in quickest detection problems", Theory of Probability and its
Applications 8 (1963); Roberts, "A comparison of some control chart procedures", Technometrics 8
(1966). Against one change of known size no rule finds it sooner with as few false ones (Pollak and
Tartakovsky, Statistica Sinica 19, 2009); several sizes are added up.
"""

from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.compiled import inlined
from services.risk.habits import settled, shifted

Rows = NDArray[np.void]
"""A record for each pupil, shape (P,)."""
ODDS_MAX = 4000.0
"""Odds go no higher, so that they come down when the change is over."""

HABIT = [
    # Of the settled days: how often it happened, and how often it could have.
    ("events", np.float32),
    ("chances", np.float32),
    # The last 32 days of both, newest in bit 0.
    ("happened", np.uint32),
    ("could", np.uint32),
]
"""Fields of a record on something that a pupil does now and then."""


def as_record(parameters: dict[str, float]) -> Rows:
    """Return a rule's parameters for its kernel: one record of float64, shape (1,)."""
    return np.array([tuple(parameters.values())], record_of(parameters))


def record_of(parameters: Any) -> np.dtype[np.void]:
    """Return the type of a record with these names, each a float64."""
    return np.dtype([(name, np.float64) for name in parameters])


@inlined
def gone_on(odds: float, often: float, ratio: float) -> float:
    """Return the odds after a day.

    Args:
        odds: before it.
        often: how often such a change begins, beside others.
        ratio: how much likelier the day is after the change than before it.
    """
    return min((odds + often) * ratio, ODDS_MAX)


@inlined
def likelier(happened: bool, before: float, after: float) -> float:
    """Return how much likelier it is, after a change, that it happened or not."""
    return after / before if happened else (1 - after) / (1 - before)


@inlined
def bar(needed: float, known: float) -> Any:
    """Return the odds from which a rule rings: more for who is known to be away often."""
    return np.rint(exp(needed * known))


@inlined
def reaches(odds: float, least: float, needed: float, known: float) -> Any:
    """Return whether odds ring; `least` is the bar of who is not known at all."""
    return odds >= least and odds >= bar(needed, known)


@inlined
def habit(pupil: Any, prior_events: float, prior_days: float, times: float, most: float) -> Any:
    """Return the chance that it happens today, by the settled habit, drawn to a prior.

    Args:
        times: how many times the usual the school's day is taken for.
        most: the chance is never more than this.
    """
    rate = (pupil.events + prior_events) / (pupil.chances + prior_days)
    return min(rate * times, most)


@inlined
def remember(pupil: Any, happened: bool, could: bool) -> None:
    """Write a day into a record with the fields of `HABIT`."""
    pupil.happened = shifted(pupil.happened, happened)
    pupil.could = shifted(pupil.could, could)
    pupil.events += settled(pupil.happened)
    pupil.chances += settled(pupil.could)
