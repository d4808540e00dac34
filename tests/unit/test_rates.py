"""Buckets of calls, by a clock that the test moves."""

from libs.common.rates import BUCKETS_MAX, Buckets, whole_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_and_then_so_many_a_second() -> None:
    clock = Clock()
    buckets = Buckets(per_s=2, burst=3, clock=clock)

    at_once = [buckets.take("vendor") for _ in range(4)]
    clock.now = 0.5
    later = [buckets.take("vendor"), buckets.take("vendor")]

    assert at_once == [0, 0, 0, 0.5]
    assert later == [0, 0.5]


def test_one_clients_calls_are_not_counted_against_another() -> None:
    buckets = Buckets(per_s=1, burst=1, clock=Clock())

    assert [buckets.take(client) for client in ("a", "b", "a")] == [0, 0, 1]


def test_a_quiet_client_saves_up_no_more_than_a_burst() -> None:
    clock = Clock()
    buckets = Buckets(per_s=10, burst=2, clock=clock)
    buckets.take("a")
    clock.now = 1000

    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.1]


def test_clients_are_forgotten_the_quietest_first() -> None:
    buckets = Buckets(per_s=1, burst=1, clock=Clock())
    for number in range(BUCKETS_MAX + 1):
        buckets.take(str(number))

    assert buckets.take(str(BUCKETS_MAX)) == 1
    assert buckets.take("0") == 0


def test_a_wait_is_told_in_whole_seconds() -> None:
    assert [whole_seconds(s) for s in (0.002, 1.0, 1.2)] == [1, 1, 2]
