"""How much may be under way to each endpoint."""

from uuid import UUID

from services.notify.lanes import BREAK_AFTER, LANE_MAX, LANE_NEW, REST_MAX_S, Lanes

SICK, WELL = UUID(int=1), UUID(int=2)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def lanes(clock: Clock | None = None, places: int = 64) -> Lanes:
    return Lanes(places, 5.0, clock or Clock())


def fail(lanes: Lanes, times: int) -> None:
    for _ in range(times):
        lanes.note(SICK, failed=True, took_s=0.1)


def test_an_endpoint_that_has_taken_nothing_yet_holds_few_places() -> None:
    made = lanes()

    taken = [made.enter(WELL) for _ in range(LANE_MAX)]

    assert taken.count(True) == LANE_NEW


def test_one_endpoint_never_holds_more_than_its_lane() -> None:
    made = lanes()
    made.note(WELL, failed=False, took_s=0.1)

    taken = [made.enter(WELL) for _ in range(LANE_MAX + 3)]

    assert taken.count(True) == LANE_MAX


def test_an_endpoint_that_failed_or_was_slow_gets_one_message_at_a_time() -> None:
    made = lanes()
    made.note(SICK, failed=True, took_s=0.1)
    made.note(WELL, failed=False, took_s=3.0)

    assert [made.enter(SICK), made.enter(SICK)] == [True, False]
    assert [made.enter(WELL), made.enter(WELL)] == [True, False]


def test_after_failures_in_a_row_it_rests_and_is_then_tried_with_one() -> None:
    clock = Clock()
    made = lanes(clock)
    fail(made, BREAK_AFTER)
    assert not made.enter(SICK)
    assert made.enter(WELL)

    clock.now_s = 5.1

    assert [made.enter(SICK), made.enter(SICK)] == [True, False]


def test_each_further_failure_doubles_the_rest_up_to_a_quarter_of_an_hour() -> None:
    clock = Clock()
    made = lanes(clock)
    fail(made, BREAK_AFTER + 30)

    clock.now_s = REST_MAX_S - 1
    assert made.closed() == {SICK}
    clock.now_s = REST_MAX_S + 1
    assert made.closed() == set()


def test_a_success_ends_the_rest_and_says_so_once() -> None:
    made = lanes()
    fail(made, BREAK_AFTER)

    made.note(SICK, failed=False, took_s=0.1)

    assert made.take_recovered() == {SICK}
    assert made.take_recovered() == set()
    assert made.closed() == set()


def test_all_poor_lanes_together_leave_half_of_the_places() -> None:
    made = lanes(places=8)
    sick = [UUID(int=n) for n in range(10, 20)]
    for one in sick:
        made.note(one, failed=True, took_s=0.1)

    taken = [made.enter(one) for one in sick]

    assert taken.count(True) == 4
    assert made.enter(WELL)
