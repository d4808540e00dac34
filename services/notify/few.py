"""Pure: disclosure control, so that no figure tells of one child.

The figures may leave the room in which they were asked for. What rests on too few children
(`libs.common.few`) is null, and where just one part of a whole is, so is the next smallest: or the
whole would tell it. Rates of attendance rest on `PUPILS_MIN` or more, as in risk's.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from libs.common.few import is_enough
from services.notify.impact_cases import Case

PUPILS_MIN = 10

Count = int | None
Part = TypeVar("Part")


def shown(cases: Iterable[Case], value: int) -> Count:
    """Return a count that rests on these alerts, or null."""
    return value if enough_of(cases) else None


def enough_of(cases: Iterable[Case]) -> bool:
    """Whether these alerts are about enough children, or about none."""
    return is_enough(len({case.upn for case in cases}))


def hidden(parts: Mapping[Part, tuple[int, bool]], keep: Part | None = None) -> dict[Part, Count]:
    """Return the parts of a whole, each its count or null.

    Args:
        parts: each one's count, and whether it rests on enough children to be shown.
        keep: the part that goes last where another must be hidden along with one.
    """
    hide = {name for name, (_, enough) in parts.items() if not enough}
    others = [name for name in parts if name not in hide]
    if len(hide) == 1 and others:
        hide.add(min(others, key=lambda name: (name == keep, parts[name][0])))
    return {name: None if name in hide else count for name, (count, _) in parts.items()}
