"""Notify killed at random moments under load, a few times; a hundred: `tests/system/killing.py`."""

import logging
import random
from pathlib import Path

from tests.system.killing import kill_and_check

KILLS = 10


def test_killed_at_random_notify_loses_nothing_and_repeats_under_the_same_ids(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    logging.getLogger(__name__).warning("seed %d", seed)  # shown when it fails

    told = kill_and_check(tmp_path, KILLS, seed)

    assert told.digests > 0
