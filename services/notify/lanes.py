"""Pure: how much may be under way to each endpoint, so that a sick one delays nobody else."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

LANE_MAX = 8
"""Messages under way to one endpoint that is well."""
LANE_NEW = 2
"""To one that has taken none yet: whoever is not well holds few places until that is known."""
SLOW_S = 2.0
"""An endpoint whose last answer took longer gets one message at a time."""
BREAK_AFTER = 5
"""Failures in a row after which an endpoint rests."""
REST_MAX_S = 900.0
"""The longest rest: what is up again is found within a quarter of an hour."""


class Lanes:
    """One lane an endpoint, and a circuit breaker in each.

    A lane is new, well, poor (it failed, or was slow: one message at a time), or resting (too many
    failures in a row: none until its rest is over, then one). All poor lanes together hold at most
    half of the places.

    Args:
        places: messages under way in all.
        rest_s: the first rest, in seconds; each further failure doubles it.
        clock: seconds that never go back.
    """

    def __init__(self, places: int, rest_s: float, clock: Callable[[], float]) -> None:
        self._places = places
        self._rest_s = rest_s
        self._clock = clock
        self._under_way: Counter[UUID] = Counter()
        self._failures: Counter[UUID] = Counter()
        self._slow: set[UUID] = set()
        self._proven: set[UUID] = set()
        self._recovered: set[UUID] = set()
        self._rests_until: dict[UUID, float] = {}

    def room(self) -> int:
        """Return how many more messages may be taken up."""
        return self._places - self._under_way.total()

    def enter(self, endpoint: UUID) -> bool:
        """Take a place for a message to this endpoint; False: there is none."""
        if self.room() <= 0 or self._is_closed(endpoint, self._clock(), self._poor_are_many()):
            return False
        self._under_way[endpoint] += 1
        return True

    def leave(self, endpoint: UUID) -> None:
        """Give a place back."""
        self._under_way[endpoint] -= 1
        if self._under_way[endpoint] <= 0:
            del self._under_way[endpoint]

    def note(self, endpoint: UUID, *, failed: bool, took_s: float) -> None:
        """Keep what an attempt came to."""
        if took_s > SLOW_S:
            self._slow.add(endpoint)
        else:
            self._slow.discard(endpoint)
        if not failed:
            self._proven.add(endpoint)
            self._rests_until.pop(endpoint, None)
            if self._failures.pop(endpoint, 0) >= BREAK_AFTER:
                self._recovered.add(endpoint)
            return
        self._failures[endpoint] += 1
        beyond = self._failures[endpoint] - BREAK_AFTER
        if beyond >= 0:
            rest_s = min(self._rest_s * 2.0 ** min(beyond, 40), REST_MAX_S)
            self._rests_until[endpoint] = self._clock() + rest_s

    def take_recovered(self) -> set[UUID]:
        """Return the endpoints that rested and are well again, each once."""
        recovered, self._recovered = self._recovered, set()
        return recovered

    def closed(self) -> set[UUID]:
        """Return the endpoints for which nothing is to be taken up now."""
        now, many = self._clock(), self._poor_are_many()
        known = {*self._under_way, *self._failures, *self._slow}
        return {one for one in known if self._is_closed(one, now, many)}

    def _is_closed(self, endpoint: UUID, now: float, poor_are_many: bool) -> bool:
        is_poor = self._is_poor(endpoint)
        return (
            self._rests_until.get(endpoint, now) > now
            or self._under_way.get(endpoint, 0) >= self._most(endpoint)
            or (is_poor and poor_are_many)
        )

    def _most(self, endpoint: UUID) -> int:
        if self._is_poor(endpoint):
            return 1
        return LANE_MAX if endpoint in self._proven else LANE_NEW

    def _is_poor(self, endpoint: UUID) -> bool:
        return endpoint in self._slow or endpoint in self._failures

    def _poor_are_many(self) -> bool:
        held = sum(count for one, count in self._under_way.items() if self._is_poor(one))
        return held * 2 >= self._places
