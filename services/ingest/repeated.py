"""A register's JSON that gives one key twice: readers differ on which one counts, so none is taken.

RFC 8259, 4: "When the names within an object are not unique, the behavior of software that receives
such an object is unpredictable." msgspec takes the last and says nothing.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

KNOWN = frozenset({
    "group", "marks", "urn", "date", "session", "upn", "code", "minutes_late", "comment",
})  # fmt: skip
"""Keys that may be named to a sender: any other might be a word about a child."""


class Place(NamedTuple):
    """Where a key is given twice: at the top, or in the nth mark; key None: it is none of ours."""

    mark: int | None
    key: str | None

    @property
    def path(self) -> list[str | int]:
        """Return its steps in the body."""
        steps: list[str | int] = [] if self.mark is None else ["marks", self.mark]
        return steps if self.key is None else [*steps, self.key]


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values as they stand."""


def may_repeat(raw: bytes, held: Mapping[bytes, int]) -> bool:
    """Whether a body may give a key twice, where so many of each were read from it.

    Its keys are counted as bytes, which is quick. It errs only towards `True`: a text may look like
    a key, and a key may be written with escapes.
    """
    return b"\\" in raw or any(raw.count(key) != count for key, count in held.items())


def repeated(raw: bytes) -> Sequence[Place]:
    """Return where a register's body gives a key twice; nothing for what is no JSON."""
    try:
        whole = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return ()
    return tuple(_places(whole))


def _places(whole: Any) -> Iterator[Place]:
    if not isinstance(whole, _Pairs):
        return
    yield from (Place(None, key) for key in _twice(whole))
    for name, value in whole:
        if name == "marks" and isinstance(value, list) and not isinstance(value, _Pairs):
            for index, mark in enumerate(value):
                if isinstance(mark, _Pairs):
                    yield from (Place(index, key) for key in _twice(mark))


def _twice(pairs: _Pairs) -> list[str | None]:
    if len({name for name, _ in pairs}) == len(pairs):
        return []
    counts = Counter(name for name, _ in pairs)
    return [name if name in KNOWN else None for name, count in counts.items() if count > 1]
