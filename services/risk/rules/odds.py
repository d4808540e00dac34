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

from functools import cached_property
from math import exp
from typing import Any

import numpy as np

from services.risk.compiled import inlined
from services.risk.fold import PupilRule, as_record
from services.risk.habits import settled, shifted
from services.risk.pupil_days import Rows

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


class OnOdds(PupilRule):
    """A rule that rings from the odds whose natural logarithm is its parameter `needed`."""

    each_day = True

    @cached_property
    def figures(self) -> Rows:
        """Its parameters, and `bar`: the odds needed of a pupil of whom nothing is known."""
        return as_record({**self.parameters, "bar": np.rint(exp(self.parameters["needed"]))})


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
def _bar(needed: float, known: float) -> Any:
    return np.rint(exp(needed * known))


@inlined
def reaches(odds: float, rule: Any, known: float) -> Any:
    """Return whether odds ring: more are needed for who is known to be away often."""
    return odds >= rule.bar and odds >= _bar(rule.needed, known)


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
