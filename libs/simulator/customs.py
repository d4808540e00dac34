"""What families do whatever their children's health: holidays in term time, and coming late."""

import numpy as np

from libs.common.codes import NUMBERS, Codes
from libs.simulator.dfe import PUBLISHED, Phase
from libs.simulator.people import Pupil
from libs.simulator.spells import Bools, Floats, Lengths

HOLIDAYS = Lengths((2, 3, 5, 8, 10), (0.2, 0.2, 0.4, 0.1, 0.1))
"""School days of a family's holiday in term time."""
LATE_IN_THE_MORNING = 0.92
"""Share of late marks that are the morning's."""


def go_on_holiday(codes: Codes, phase: Phase, pupils: tuple[Pupil, ...], seed: list[int]) -> None:
    """Write code G over the holidays of some families in `codes`, shape (S, P).

    A household's chance is its own, so that siblings are away together, at other schools too.
    """
    days = len(codes) // 2
    wanted = PUBLISHED[phase].holiday / 100 * days / HOLIDAYS.mean
    for column, pupil in enumerate(pupils):
        rng = household_rng(seed, pupil)
        goes, when, spread, length = rng.random(4).tolist()
        if goes >= wanted:
            continue
        chosen = int(np.searchsorted(np.cumsum(HOLIDAYS.chances)[:-1], length, side="right"))
        away = HOLIDAYS.days[chosen]
        # Half are at the end of a half-term, nearly enough every 32 school days.
        start = int(when * 6) * 32 + 32 - away if spread < 0.5 else int(when * (days - away))
        codes[2 * start : 2 * min(start + away, days), column] = NUMBERS["G"]


def household_rng(seed: list[int], pupil: Pupil) -> np.random.Generator:
    """Return the chance of a pupil's household: the same for siblings, at every school."""
    return np.random.default_rng([*seed, int(pupil.household.id[3:])])


def come_late(rng: np.random.Generator, codes: Codes, phase: Phase, tendency: Floats) -> Bools:
    """Return the sessions at which a pupil comes late before the close, bool, shape (S, P).

    A tenth of pupils make more than half of late marks; the often absent are late more often.
    """
    habit = rng.random(len(tendency))
    weight = np.where(habit > 0.9, 6.0, 0.5) * (0.5 + np.minimum(1.5, tendency / 0.1))
    share = np.round(np.minimum(0.4, PUBLISHED[phase].late / 100 * weight / weight.mean()), 9)
    half = np.where(np.arange(len(codes)) % 2 == 0, LATE_IN_THE_MORNING, 1 - LATE_IN_THE_MORNING)
    late: Bools = rng.random(codes.shape) < 2 * half[:, None] * share[None, :] / 0.93
    return np.asarray(late & (codes == 0))
