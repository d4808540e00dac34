"""Worlds that a year can be made in: the usual one of the demo, and one to judge detection by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from libs.common.codes import Codes
from libs.simulator.climate import Climate, drawn, the_usual
from libs.simulator.dfe import TENDENCY, Tendency
from libs.simulator.events import Event, mass_events, no_events
from libs.simulator.kinds import inject_kinds
from libs.simulator.patterns import Injected, Place, inject
from libs.simulator.people import Pupil
from libs.simulator.spells import Floats

Inject = Callable[[np.random.Generator, Codes, Place, tuple[Pupil, ...], Floats, Climate], Injected]
Happen = Callable[[list[int], Codes, Place, tuple[Pupil, ...]], tuple[Event, ...]]


@dataclass(frozen=True)
class World:
    """What a year is made of.

    Args:
        name: for people.
        tendency: how often pupils are absent, episodes and holidays apart.
        climate: draws what differs from seed to seed.
        inject: writes episodes into the marks, and returns their truth.
        happen: writes what befalls many at once, and returns it.
    """

    name: str
    tendency: Tendency
    climate: Callable[[np.random.Generator], Climate]
    inject: Inject
    happen: Happen


USUAL = World("usual", TENDENCY, the_usual, inject, no_events)
"""A year as published, with few episodes: for the demo, and for what needs registers."""

TRIAL_TENDENCY: Tendency = {
    "primary": (0.005, 0.016, 0.027, 0.037, 0.048, 0.079, 0.117, 0.17, 0.38, 0.85),
    "secondary": (0.006, 0.020, 0.034, 0.053, 0.079, 0.142, 0.25, 0.62, 0.85, 0.95),
}
"""As `TENDENCY`, but for what episodes and mass events add. Fitted."""

TRIAL = World("trial", TRIAL_TENDENCY, drawn, inject_kinds, mass_events)
"""Some 80 episodes per 1,000 pupils a year of every kind that is rung for, mass events, and a
climate of its own for each seed: for judging detection."""
