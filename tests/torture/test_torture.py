"""The short form of `make torture`: a few kills and outages, poison, and a planted fault."""

import os

import pytest
import typer

from tests.torture.__main__ import SMALL, show
from tests.torture.run import Beside, beside, run
from tests.torture.schedule import kills, outages
from tests.torture.verdict import Verdict
from tests.torture.world import World, world

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.timeout(300),
]
SEED = int(os.environ.get("FIRSTBELL_TEST_SEED", "1"))
KILLED_S = 18.0
TIMED = {
    "not serving in 5 s", "good records wait behind bad ones", "slow while the broker was away",
    "nothing was sent meanwhile",  # where servers start so slowly that the last outage comes late
}  # fmt: skip


@pytest.fixture(scope="module")
def told() -> World:
    return world(SEED, SMALL)


@pytest.fixture(scope="module")
def expected(told: World) -> Beside:
    return beside(told)


def judged(verdict: Verdict) -> dict[str, int]:
    """Return the faults; print all, with the seed, for the report of a failed test."""
    typer.echo(f"seed {SEED}")
    show(verdict)
    # Other tests share the machine here: `make torture` holds to times.
    return {name: len(v) for name, v in verdict.faults.items() if name not in TIMED}


def test_killed_and_cut_off_nothing_is_lost_doubled_or_told_to_the_wrong_one(
    told: World, expected: Beside
) -> None:
    away = [("kill -9", "kafka", 3.0), ("kill -9", "postgres", 3.0)]
    blows = [*kills(SEED, 8, KILLED_S), *outages(KILLED_S + 4, *away, rest_s=4)]

    # A broker needs some seconds to start again, and the database goes only then.
    verdict = run(told, blows, KILLED_S + 30, expected, poisoned=True)

    assert judged(verdict) == {}
    assert verdict.figures["registers accepted"] == len(told.requests)
    assert verdict.figures["messages"] > 50


def test_the_harness_finds_a_planted_fault(told: World, expected: Beside) -> None:
    verdict = run(told, [], 5.0, expected, fault="any-worker")

    assert judged(verdict).keys() >= {"told the wrong recipient", "messages too many"}
