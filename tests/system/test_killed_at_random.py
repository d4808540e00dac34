"""Notify killed at random moments under load, a few times; a hundred: `tests/system/killing.py`."""

import logging
import random
from pathlib import Path

import pytest

from tests.system.killing import Wrong, kill_and_check

KILLS = 10


def test_killed_at_random_notify_loses_nothing_and_repeats_under_the_same_ids(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    logging.getLogger(__name__).warning("seed %d", seed)  # shown when it fails

    told = kill_and_check(tmp_path, KILLS, seed)

    assert told.digests > 0


@pytest.mark.parametrize(
    ("fault", "shows_as"),
    [("new-id-each-time", "another id"), ("unrecorded", "ledger does not have each delivery")],
)
def test_a_planted_fault_is_found(tmp_path: Path, fault: str, shows_as: str) -> None:
    with pytest.raises(Wrong, match=shows_as):
        kill_and_check(tmp_path, 2, seed=1, fault=fault)
