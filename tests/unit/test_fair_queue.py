"""Schools' registers wait in lines of their own."""

import asyncio

from services.ingest.fair_queue import FairQueue


def taken(queue: FairQueue[str]) -> str:
    return "".join(queue.get_now() for _ in range(len(queue)))


def test_schools_take_turns_and_a_schools_registers_stay_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for urn, items in (("100000", "abcd"), ("100001", "x"), ("100002", "12")):
        for item in items:
            queue.put(urn, item)

    assert (len(queue), queue.waiting("100000"), queue.waiting("100009")) == (7, 4, 0)
    assert taken(queue) == "ax1b2cd"
    assert not queue


def test_a_school_that_comes_late_waits_for_one_register_of_another() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in "abcdef":
        queue.put("100000", item)
    queue.get_now()
    queue.put("100001", "X")

    assert taken(queue) == "bXcdef"


async def test_who_asks_waits_until_there_is_something() -> None:
    queue: FairQueue[str] = FairQueue()
    first = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put("100000", "a")

    assert await first == "a"
    queue.put("100000", "b")
    assert await queue.get() == "b"
