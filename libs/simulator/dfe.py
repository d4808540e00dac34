"""What England's registers look like: the published figures that the simulator is fitted to.

Source: DfE, Pupil attendance in schools, 2025/26 academic year, and its absence bands for 2022/23.
Crown copyright, Open Government Licence v3.0. Aggregates only: no child is in them.
Whatever else is said of a school here (sizes, lengths of spells) is ours, chosen to give them.
"""

from typing import Literal, NamedTuple

Phase = Literal["primary", "secondary"]


class PhaseFigures(NamedTuple):
    """A phase's year: percent of possible sessions by code; the last two percent of pupils."""

    absence: float
    illness: float
    appointment: float
    leave: float
    suspended: float
    part_time: float
    holiday: float
    unauthorised: float
    after_close: float
    late: float
    persistent: float
    severe: float


PUBLISHED: dict[Phase, PhaseFigures] = {
    "primary": PhaseFigures(
        5.28, 2.79, 0.27, 0.47, 0.04, 0.17, 0.535, 0.79, 0.17, 1.12, persistent=13.8, severe=0.75
    ),
    "secondary": PhaseFigures(
        8.49, 3.63, 0.38, 0.60, 0.29, 0.32, 0.314, 2.61, 0.30, 2.79, persistent=23.8, severe=3.4
    ),
}
"""Leave is codes C, C1, J1, R, S and T together; the simulator writes them all as C."""

PUBLISHED_ALL: dict[str, float] = {
    "absence": 6.88,
    "absence_primary": 5.28,
    "absence_secondary": 8.49,
    "illness": 3.21,
    "appointment": 0.33,
    "holiday": 0.43,
    "unauthorised": 1.65,
    "no_reason": 0.05,
    "late": 1.86,
    "after_close": 0.23,
    "persistent": 18.8,
    "persistent_primary": 13.8,
    "persistent_secondary": 23.8,
    "severe": 2.0,
    "friday": 17.0,
}
"""Percent, all phases (special schools too); `friday` is percent above the mean of other days."""

RANKS = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0)
"""Ranks of pupils by their tendency to be absent, the least absent first."""

TENDENCY: dict[Phase, tuple[float, ...]] = {
    "primary": (0.005, 0.016, 0.026, 0.043, 0.061, 0.099, 0.132, 0.17, 0.35, 0.85),
    "secondary": (0.005, 0.017, 0.031, 0.061, 0.101, 0.155, 0.22, 0.61, 0.82, 0.95),
}
"""Share of sessions missed, holidays and episodes apart, at each of `RANKS`. Fitted: what a year
makes of it, with its chance, has the published bands."""
