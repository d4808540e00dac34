"""The earlier version of this repository that the upgrade's test starts from."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
EARLIER = "8031ce1f4261ac80a0c00672c023bcfd504f1d3e"
"""Before endpoints were their owners' own, and before follow-ups: many migrations ago."""


@functools.cache
def is_here() -> bool:
    """Whether this copy of the repository has its history as far back."""
    asked = ["git", "-C", str(ROOT), "cat-file", "-e", EARLIER]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
