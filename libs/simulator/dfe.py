"""What England's registers look like: the published figures that the simulator is fitted to.

Source: DfE, Pupil attendance in schools, 2025/26 academic year (weekdays: 8 to 12 September 2025),
and its absence bands for 2022/23. State-funded schools; our sums over local authorities.
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
    "persistent_free_meals": 36.5,
    "persistent_others": 15.6,
    "severe": 2.0,
    "severe_primary": 0.75,
    "severe_secondary": 3.4,
    "friday": 17.0,
}
"""Percent, all phases (special schools too); `friday` is percent above the mean of other days."""

BANDS: dict[Phase, tuple[float, ...]] = {
    "primary": (56.12, 27.67, 9.17, 3.21, 1.39, 0.72, 0.42, 0.26, 0.18, 0.13, 0.75),
    "secondary": (46.31, 27.17, 11.01, 4.77, 2.57, 1.62, 1.13, 0.83, 0.66, 0.52, 3.40),
}
"""Percent of pupils who missed 0 to 5 % of sessions, 5 to 10 %, … 45 to 50 %, and 50 % or more."""

WEEKDAYS: dict[Phase, tuple[float, ...]] = {
    "primary": (3.89, 3.63, 3.50, 3.64, 4.36),
    "secondary": (5.30, 5.43, 5.47, 5.65, 6.49),
}
"""Absence, percent of sessions, Monday to Friday of one week: its course, not its height."""

PRESENT: dict[Phase, tuple[float, float]] = {"primary": (91.80, 93.35), "secondary": (85.80, 88.53)}
"""Percent of mornings and of afternoons with a present mark in time: codes / and \\."""

Tendency = dict[Phase, tuple[float, ...]]
"""What a pupil at each of `RANKS` tends to miss, a share of sessions."""

RANKS = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0)
"""Ranks of pupils by their tendency to be absent, the least absent first."""

TENDENCY: Tendency = {
    "primary": (0.005, 0.016, 0.026, 0.043, 0.061, 0.099, 0.132, 0.17, 0.35, 0.85),
    "secondary": (0.005, 0.017, 0.031, 0.061, 0.101, 0.155, 0.22, 0.61, 0.82, 0.95),
}
"""Share of sessions missed, holidays and episodes apart, at each of `RANKS`. Fitted: what a year
makes of it, with its chance, has the published bands."""
