"""docker-compose.yml, as scripts/up-like-compose starts it: the main story, with few rights."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.system.stack import ADA, REGISTER, URN, Stack, put
from tests.system.test_story import (
    test_a_register_rings_a_bell_that_reaches_the_social_worker as story,
)

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "risk", "notify")
pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


class Mirror(Stack):
    """The mirror's processes, all behind one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "keys")
        self.urls: dict[str, str] = {}
        self.processes["mirror"] = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/up-like-compose"), str(folder)],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read_places(self) -> None:
        for line in self.processes["mirror"].stdout:
            name, _, url = line.strip().partition("=")
            if name == "ready":
                break
            self.urls[name] = url
        self.ports = {name: int(self.urls[name].rpartition(":")[2]) for name in SERVICES}

    def stop(self) -> None:
        super().stop()
        self.processes["mirror"].stdout.close()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # PostgreSQL's own user must get there
    running = Mirror(folder / "stack")
    try:
        running.read_places()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def test_the_story_holds_on_the_processes_of_compose(mirror: Mirror) -> None:
    story(mirror, lambda *_: None)

    put(mirror.client("ingest", "admin"), REGISTER, {"marks": [{"upn": ADA, "code": "N"}]})
    assert URN in mirror.client("risk", "admin").get("/risk/v1/bells").text
    with_rights = await asyncpg.connect(mirror.urls["postgres"].replace("+asyncpg", ""))
    try:
        roles = await with_rights.fetch(
            "SELECT DISTINCT usename, usesuper FROM pg_stat_activity JOIN pg_user USING (usename)"
            " WHERE datname = 'firstbell' AND pid <> pg_backend_pid()"
        )
    finally:
        await with_rights.close()
    assert [tuple(role) for role in roles] == [("firstbell_runtime", False)]
    metrics = mirror.client("risk", "admin").get("/risk/metrics").text
    assert 'firstbell_bells_raised_today{kind="unexplained-absence",service="risk"} 1.0' in metrics
