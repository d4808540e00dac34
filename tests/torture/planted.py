"""`firstbell` with a fault planted: `python -m tests.torture.planted FAULT serve NAME …`.

A harness that has never failed proves nothing by its zeros. Each fault here is one that real
systems have had; the harness must find every one of them. They live in this launcher alone: the
product has no switch for them. `none` plants nothing. With FIRSTBELL_TEST_SWIFT a dead process's
work comes to its successor sooner than in an installation, so that short runs end soon.
"""

import os
import sys
from datetime import timedelta
from importlib import import_module

from libs.common import eventlog_kafka
from services.cli import app

WINDOW_S = 0.25
"""How long a planted fault's gap stays open: a run has some kills, and not thousands."""

FAULTS = {
    "acknowledged-early": "ingest",
    "written-twice": "ingest",
    "marked-before-published": "events",
    "offsets-first": "events",
    "no-inbox": "events",
    "new-id-each-time": "notify",
    "noted-before-sent": "notify",
    "gives-up": "notify",
    "any-worker": "notify",
}
"""Each fault, and where it is planted: in one service, or in all."""


def plant(fault: str, service: str) -> None:
    """Plant a fault, in the services that it is for."""
    where = FAULTS[fault]
    if where in {service, "events"}:
        faults = import_module(f"tests.torture.faults_{where}")
        getattr(faults, fault.replace("-", "_"))()


def hurry(service: str) -> None:
    """Let what a dead process had taken on come to its successor sooner."""
    eventlog_kafka.SESSION_MS, eventlog_kafka.HEARTBEAT_MS = 3000, 600
    if service == "notify":
        import_module("services.notify.sender").LEASE = timedelta(seconds=2)


def main(fault: str, *command: str) -> None:
    """Plant a fault and be `firstbell`."""
    service = command[1]
    if "FIRSTBELL_TEST_SWIFT" in os.environ:
        hurry(service)
    if fault != "none":
        plant(fault, service)
    app(list(command))


if __name__ == "__main__":
    main(*sys.argv[1:])
