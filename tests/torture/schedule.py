"""What is done to a house, and when: a seed decides all of it before the run begins."""

import random
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

from tests.torture.house import SERVICES, House


class Blow(NamedTuple):
    """`what` happens to `whom`, so many seconds after the start, for so long."""

    at_s: float
    what: str
    whom: tuple[str, ...]
    for_s: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.for_s:g} s" if self.for_s else ""
        return f"{self.at_s:7.1f} s  {self.what} {', '.join(self.whom)}{lasting}"


class Window(NamedTuple):
    """When, by the clock, a server was away."""

    whom: str
    from_: float
    to: float


def kills(seed: int, number: int, over_s: float) -> list[Blow]:
    """Return that many `kill -9` of the three processes, at random; one in ten takes two at once.

    One in ten follows the one before so soon that it falls into its victim's restart.
    """
    dice = random.Random(f"kills {seed}")
    blows: list[Blow] = []
    killed, at_s = 0, 0.0
    while killed < number:
        again = bool(blows) and dice.random() < 0.1
        whom = blows[-1].whom if again else tuple(dice.sample(SERVICES, 1 + (dice.random() < 0.1)))
        whom = whom[: number - killed]
        at_s += dice.uniform(0.1, 2.0) if again else dice.expovariate(1)
        blows.append(Blow(at_s, "kill -9", whom))
        killed += len(whom)
    scale = over_s / max(at_s, 0.1)
    return [blow._replace(at_s=blow.at_s * scale) for blow in blows]


def outages(start_s: float, *what: tuple[str, str, float], rest_s: float = 10.0) -> list[Blow]:
    """Return outages of servers one after another, with a rest after each."""
    blows = []
    for kind, server, for_s in what:
        blows.append(Blow(start_s, kind, (server,), for_s))
        start_s += for_s + rest_s
    return blows


def strike(house: House, blows: Iterable[Blow]) -> list[Window]:
    """Carry a schedule out; return when servers were away."""
    start, windows = time.monotonic(), []
    for blow in blows:
        time.sleep(max(0.0, start + blow.at_s - time.monotonic()))
        if blow.what == "kill -9" and blow.whom[0] in SERVICES:
            for name in blow.whom:
                house.kill(name)
            continue
        windows.append(_take_away(house, blow))
    return windows


def _take_away(house: House, blow: Blow) -> Window:
    (whom,) = blow.whom
    server = house.kafka if whom == "kafka" else house.postgres
    began = time.time()
    if blow.what == "SIGSTOP":
        server.signal(signal.SIGSTOP)
        time.sleep(blow.for_s)
        server.signal(signal.SIGCONT)
    else:
        server.signal(signal.SIGKILL)
        time.sleep(blow.for_s)
        server.start()
    return Window(whom, began, time.time())
