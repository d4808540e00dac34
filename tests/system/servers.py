"""A broker and a database of a test's own, made by the scripts that anybody may use."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(script: str, *arguments: object) -> str:
    command = [str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Servers:
    """A Kafka and a PostgreSQL in a folder."""

    def __init__(self, folder: Path) -> None:
        self.postgres, self.kafka, self.backup = folder / "pg", folder / "kafka", folder / "backup"
        self.url = run("postgres-start", self.postgres).removeprefix("url=")
        self.broker = run("kafka-start", self.kafka).removeprefix("bootstrap=")

    def sql(self, statement: str) -> str:
        plain = self.url.replace("+asyncpg", "")
        command = ["psql", "-XqAt", plain, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def stop(self) -> None:
        run("postgres-stop", self.postgres)
        run("kafka-stop", self.kafka)


@contextmanager
def own_servers() -> Iterator[Servers]:
    """Run both until it is left, in a folder that then goes too."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # the server may run as another user, who must get in
    made = Servers(folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
