"""`firstbell` with a fault planted: `python -m tests.torture.planted FAULT serve NAME …`.

A harness that has never failed proves nothing by its zeros. Each fault here is one that real
systems have had; the harness must find every one of them, and by what it does, not by some noise
beside. They live in this launcher alone: the product has no switch for them. `none` plants nothing.
"""

import asyncio
import itertools
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from services.cli import app

GAP_S = 0.1
"""How long a planted fault's gap stays open."""
DEATHS = 3
"""How often a process dies in such a gap, of all that have the fault."""
WORKS_ON = 4
"""Gaps that a process survives before."""
STRUCK = "struck"
"""A file in the house's folder: from then on there is dying."""

LOST = frozenset({
    "lost marks", "lost bells", "lost alerts", "lost messages", "lost records of the ledger",
    "attendance differs", "bells differ", "alerts differ", "messages differ",
})  # fmt: skip
DOUBLED = frozenset({
    "registers counted twice", "bells too many", "alerts too many", "messages too many",
    "records twice in the ledger", "messages under two ids", "dead letters",
    "attendance differs", "bells differ", "alerts differ", "messages differ",
})  # fmt: skip
WRONG = frozenset({"told the wrong recipient"})


class Fault(NamedTuple):
    """Where a fault is planted (a service, or `events`: in all), and how it is found."""

    where: str
    shows_as: frozenset[str]


FAULTS = {
    "acknowledged-early": Fault("ingest", LOST),
    "written-twice": Fault("ingest", LOST),
    "marked-before-published": Fault("events", LOST),
    "offsets-first": Fault("events", LOST),
    "no-inbox": Fault("events", DOUBLED),
    "new-id-each-time": Fault("notify", DOUBLED),
    "noted-before-sent": Fault("notify", LOST),
    "gives-up": Fault("notify", LOST),
    "unrecorded": Fault("notify", LOST),
    "any-worker": Fault("notify", WRONG),
}


_survived = itertools.count()


async def gap() -> None:
    """Wait where a death does harm, and now and then die there, as `kill -9` has it.

    Chance would have to be helped to hit such a moment with a few kills; this hits it for certain.
    """
    await asyncio.sleep(GAP_S)
    folder = Path(os.environ["FIRSTBELL_DATA_DIR"])
    if (folder / STRUCK).exists() and next(_survived) >= WORKS_ON:
        with (folder / "deaths").open("a+") as deaths:
            deaths.seek(0)
            if len(deaths.readlines()) < DEATHS:
                deaths.write("died\n")
                deaths.flush()
                os.kill(os.getpid(), signal.SIGKILL)


def replace(owner: Any, name: str, new: Any) -> None:
    """Put another part in the place of one that the product has; it must have it.

    Raises:
        AttributeError: it has none of that name any more: nothing would be planted.
    """
    getattr(owner, name)
    setattr(owner, name, new)


def plant(fault: str, service: str) -> None:
    """Plant a fault, in the services that it is for."""
    where = FAULTS[fault].where
    if where in {service, "events"}:
        faults = import_module(f"tests.torture.faults_{where}")
        getattr(faults, fault.replace("-", "_"))()


def main(fault: str, *command: str) -> None:
    """Plant a fault and be `firstbell`."""
    if fault != "none":
        plant(fault, service=command[1])
    app(list(command))


if __name__ == "__main__":
    main(*sys.argv[1:])
