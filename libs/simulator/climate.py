"""What differs from one made-up year to the next, so that nothing is tuned to one setting."""

from typing import NamedTuple

import numpy as np


class Climate(NamedTuple):
    """A year's setting in one authority. All but the last are times the usual; 1 is the usual.

    `absence`: everybody's tendency; `unauthorised`: O, at the expense of I; `friday`: what Friday
    has above other days; `silence`: absences that begin as N; `delay`: days until their reason
    comes; `wave`: height of the winter's illness; `intensity`: chance that an episode hits a
    session. `hard` is the mean share of O, against I, in the days missed in episodes.
    """

    absence: float = 1.0
    unauthorised: float = 1.0
    friday: float = 1.0
    silence: float = 1.0
    delay: float = 1.0
    wave: float = 1.0
    intensity: float = 1.0
    hard: float = 0.6


LEAST = Climate(0.8, 0.6, 0.7, 0.5, 0.4, 0.3, 0.8, 0.35)
MOST = Climate(1.2, 1.2, 1.9, 1.5, 1.6, 1.7, 1.2, 0.75)
"""Of each figure in a climate that is drawn. Ours; Fridays have more to make up for the episodes,
which know no weekday, and O has less, for there is much of it in them."""


def the_usual(_rng: np.random.Generator) -> Climate:
    """Return the climate that the published figures were fitted in."""
    return Climate()


def drawn(rng: np.random.Generator) -> Climate:
    """Return a climate of its own, each figure drawn evenly between `LEAST` and `MOST`."""
    least, most = np.array(LEAST), np.array(MOST)
    return Climate(*np.round(least + (most - least) * rng.random(len(least)), 3).tolist())
