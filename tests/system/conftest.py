"""What system tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.stack import STACKS, Named, Stack, running


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A running stack, of each kind."""
    with running(request.param, tmp_path, Named) as made:
        yield made
