"""A queue in which each school has a line of its own: the lines are served in turn."""

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items by school. One school's stay in order; no school waits for all of another's.

    A school that sends a year at once, or whose system has gone wild, waits behind itself: a
    register of another school is taken after at most one of each school that waits.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._filled = asyncio.Event()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def waiting(self, urn: str) -> int:
        """Return how many items of a school wait."""
        return len(self._lines.get(urn, ()))

    def put(self, urn: str, item: Item) -> None:
        """Put an item at the end of its school's line."""
        self._lines.setdefault(urn, deque()).append(item)
        self._size += 1
        self._filled.set()

    async def get(self) -> Item:
        """Wait for an item; return the first of the school whose turn it is."""
        while not self._size:
            self._filled.clear()
            await self._filled.wait()
        return self.get_now()

    def get_now(self) -> Item:
        """Return the first item of the school whose turn it is.

        Raises:
            KeyError: nothing waits.
        """
        urn, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[urn] = line
        self._size -= 1
        return item
