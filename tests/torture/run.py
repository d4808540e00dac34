"""One run: a world is told to a house while it is struck, and then the verdict."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.torture.house import FIRSTBELL, House, new_folder
from tests.torture.outcome import Heard, Outcome, heard, outcome
from tests.torture.planted import STRUCK
from tests.torture.poison import poison
from tests.torture.receivers import Receivers
from tests.torture.schedule import Blow, strike
from tests.torture.senders import Senders
from tests.torture.settling import backlog, dead_letters, settle, undelivered, wait_until
from tests.torture.unharmed import marks_of, unharmed
from tests.torture.verdict import Verdict, compare, judge_answers, judge_blows, judge_restarts
from tests.torture.world import World

DRAINED_S_MAX = 120.0
AT_REST_S = 2.0
"""Nobody may have died for so long after all is drained."""
UNRULY = {"refused": 0.2, "dropped": 0.1}
"""Receivers of a house with a planted fault: 60 messages give it occasions enough to show."""
SOON_S = "0.05"
"""And how soon it tries again: the fourth failure of one message is not to hold up the run."""
Say = Callable[[str], None]


class Beside(NamedTuple):
    """What the unharmed house came to: the same for every run of one world."""

    outcome: Outcome
    heard: Heard


def beside(world: World) -> Beside:
    """Run the unharmed house."""
    folder = new_folder()
    try:
        return Beside(*unharmed(folder / "unharmed", world))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    world: World,
    blows: Sequence[Blow],
    over_s: float,
    expected: Beside,
    *,
    fault: str | None = None,
    say: Say = lambda _: None,
    keep: bool = False,
    poisoned: bool = False,
) -> Verdict:
    """Strike a house while `world` is told to it over so many seconds; return the verdict.

    Args:
        fault: a fault of `planted.py` to be planted; receivers then refuse much, and processes die
            where it does harm, so that it has its occasions.
        poisoned: bad records are published when all is sent, among good ones.
        keep: leave ledgers, logs and data where they are, and say where.
    """
    folder = new_folder()
    launcher = (sys.executable, "-m", "tests.torture.planted", fault) if fault else (FIRSTBELL,)
    house = House(folder, launcher)
    if fault:
        house.env["FIRSTBELL_RETRY_BASE_S"] = SOON_S
    with ExitStack() as ending:
        if keep:
            ending.callback(say, f"kept: {folder}")
        else:
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
        receivers = ending.enter_context(Receivers(folder, world.seed, **(UNRULY if fault else {})))
        ending.callback(house.stop)
        house.start()
        settle(house, world, receivers)
        (folder / STRUCK).touch()
        return _run(house, receivers, world, blows, over_s, expected, say, poisoned)


def _run(
    house: House,
    receivers: Receivers,
    world: World,
    blows: Sequence[Blow],
    over_s: float,
    expected: Beside,
    say: Say,
    poisoned: bool,
) -> Verdict:
    verdict = Verdict()
    senders = Senders(house.client, house.folder)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        striker = pool.submit(strike, house, blows)
        senders.send(world.requests, over_s)
        windows = striker.result()  # a blow that fails ends the run: else it would be a mild one
    say(f"sent and struck in {time.monotonic() - began:.0f} s")
    _wait_drained(verdict, house)
    put_aside = 0
    if poisoned:
        put_aside = poison(house, world, verdict)
        drained_s = wait_until(lambda: not backlog(house), DRAINED_S_MAX)
        verdict.blame("poison not drained", [] if drained_s is not None else [backlog(house)])
    found_aside = _put_aside(house, put_aside)
    verdict.blame("dead letters", [found_aside] if found_aside != put_aside else [])
    verdict.figures["put aside"] = found_aside
    found = outcome(house, world)
    told = heard(receivers.journal.lines(), world)
    compare(verdict, (found, told), expected, marks_of(world))
    lines = senders.journal.lines()
    senders.journal.close()
    judge_answers(verdict, lines, windows, len(world.requests))
    judge_restarts(verdict, house.restarts, house.exits, windows)
    judge_blows(verdict, blows, len(house.killed))
    _judge_logs(verdict, house.folder, world)
    return verdict


def _wait_drained(verdict: Verdict, house: House) -> None:
    ended = -1
    while ended != len(house.exits):  # who says that nothing is left may die of what it has begun
        ended = len(house.exits)
        for name in house.processes:
            house.wait_ready(name)
        for what, is_done in (
            ("events", lambda: not backlog(house)),
            ("messages", lambda: not undelivered(house)),
        ):
            drained_s = wait_until(is_done, DRAINED_S_MAX)
            verdict.blame(f"{what} not drained", [] if drained_s is not None else [backlog(house)])
            verdict.figures.setdefault(f"{what} drained s", drained_s and round(drained_s, 1))
        time.sleep(AT_REST_S)


def _put_aside(house: House, expected: int) -> int:
    wait_until(lambda: dead_letters(house) >= expected, 30)
    return dead_letters(house)


def _judge_logs(verdict: Verdict, folder: Path, world: World) -> None:
    words = {word for pupil in world.pupils for word in pupil.words.values()}
    for log in folder.glob("*.out"):
        text = log.read_text(errors="replace")
        verdict.blame("told in a log", [log.name] if any(w in text for w in words) else [])
