"""Rates: how many calls a client may make, by a bucket of tokens for each."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

BUCKETS_MAX = 10_000
"""Clients remembered; the one that has been quiet longest is forgotten, and starts anew."""


class Buckets:
    """A bucket for each client: it holds `burst` calls, and `per_s` are put back each second.

    They are this process's own: of two processes each lets a client make so many.

    Args:
        clock: seconds that only grow.
    """

    def __init__(
        self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a call from a client's bucket; return the seconds until there is one, 0 if taken."""
        now = self._clock()
        left, at = self._left.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[client] = (left if wait_s else left - 1, now)
        if len(self._left) > BUCKETS_MAX:
            self._left.popitem(last=False)
        return wait_s


def whole_seconds(wait_s: float) -> int:
    """Return a wait as Retry-After tells it: whole seconds, one at least."""
    return max(1, math.ceil(wait_s))
