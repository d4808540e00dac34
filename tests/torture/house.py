"""The house under test: real servers, three processes, and a plain supervisor."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from libs.common.auth import ADMIN, Issuer
from tests.system.stack import free_port

ROOT = Path(__file__).parents[2]
FIRSTBELL = str(Path(sys.executable).with_name("firstbell"))
SERVICES = ("ingest", "risk", "notify")


class Server:
    """A real Kafka or PostgreSQL of this run's own, by the scripts."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder

    def start(self) -> str:
        """Start it, or start it again where it was; return its address."""
        command = [str(ROOT / f"scripts/{self.kind}-start"), str(self.folder)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return out.strip().partition("=")[2]

    def pid(self) -> int:
        file = self.folder / ("pid" if self.kind == "kafka" else "data/postmaster.pid")
        return int(file.read_text().split()[0])

    def signal(self, which: signal.Signals) -> None:
        os.kill(self.pid(), which)

    def stop(self) -> None:
        command = [str(ROOT / f"scripts/{self.kind}-stop"), str(self.folder)]
        subprocess.run(command, check=False, capture_output=True)


class Restart(NamedTuple):
    """When which process was started again, and what that took until it served."""

    at: float
    name: str
    took_s: float
    worked_s: float
    """Processor time: what it would take on a machine that does nothing else, waiting apart."""
    served: bool = True
    """False: it was killed again so long after its start, and had not served by then."""


class House:
    """Processes that are started again at once when they end, and how soon they served again.

    Args:
        launcher: what stands before `serve NAME`; another one plants a fault (`planted.py`).
    """

    def __init__(self, folder: Path, launcher: Sequence[str] = (FIRSTBELL,)) -> None:
        self.folder = folder
        self.kafka = Server("kafka", folder / "kafka")
        self.postgres = Server("postgres", folder / "postgres")
        self.ports = {name: free_port() for name in SERVICES}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: set[int] = set()
        self.restarts: list[Restart] = []
        self.exits: list[tuple[float, str, int]] = []
        """Processes that ended though nobody killed them."""
        self._launcher = tuple(launcher)
        self._issuer = Issuer(folder, "firstbell", "firstbell")
        self._ending = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        strange = ("FIRSTBELL_", "PYTHONDONTWRITEBYTECODE")  # an image has its modules compiled
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}

    def start(self) -> None:
        """Start the servers, migrate, and start the processes."""
        self.env |= {
            "FIRSTBELL_DATABASE_URL": self.postgres.start(),
            "FIRSTBELL_KAFKA_SERVERS": self.kafka.start(),
            "FIRSTBELL_DATA_DIR": str(self.folder),
            "FIRSTBELL_INSTANCE": "torture",
            "FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS": "true",
            "FIRSTBELL_RETRY_BASE_S": "0.2",
            "PYTHONPATH": str(ROOT),
        }
        subprocess.run([FIRSTBELL, "migrate"], env=self.env, check=True, capture_output=True)
        for name in SERVICES:
            self._start(name)
        self._supervisor.start()
        for name in SERVICES:
            assert self.wait_ready(name) < float("inf"), f"{name} did not start"

    def kill(self, name: str) -> None:
        """Send SIGKILL; the supervisor does the rest."""
        process = self.processes[name]
        self.killed.add(process.pid)
        process.kill()

    def client(self, service: str = "ingest", **claims: Any) -> httpx.Client:
        """Return a client with a token: the operator's, or one with these claims."""
        token = self._issuer.token("torture", timedelta(hours=4), **(claims or {"scope": ADMIN}))
        headers = {"Authorization": f"Bearer {token}"}
        base = f"http://127.0.0.1:{self.ports[service]}"
        return httpx.Client(base_url=base, headers=headers, timeout=10, verify=False)

    def wait_ready(
        self, name: str, process: subprocess.Popen[bytes] | None = None, patience_s: float = 90.0
    ) -> float:
        """Return the seconds until a process serves; infinity when it does not in time, or ends.

        It is ready, and if it reads from the log it has its partitions.
        """
        start, process = time.monotonic(), process or self.processes[name]
        with self.client(name) as client:
            while time.monotonic() - start < patience_s and not self._ending.is_set():
                if process.poll() is not None:
                    break
                try:
                    if client.get(f"/{name}/readyz", timeout=2).is_success and _reads(client, name):
                        return time.monotonic() - start
                except httpx.HTTPError:
                    pass
                time.sleep(0.1)
        return float("inf")

    def stop(self) -> None:
        """End everything that was started here."""
        self._ending.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.kafka.stop()
        self.postgres.stop()

    def _start(self, name: str) -> None:
        command = [*self._launcher, "serve", name, "--port", str(self.ports[name])]
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.env, cwd=ROOT, stdout=log, stderr=log
            )

    def _supervise(self) -> None:
        while not self._ending.wait(0.02):
            for name, process in list(self.processes.items()):
                status = process.poll()
                if status is not None:
                    if process.pid not in self.killed:
                        self.exits.append((time.time(), name, status))
                    self._start(name)
                    probe = threading.Thread(
                        target=self._probe, args=(name, self.processes[name]), daemon=True
                    )
                    probe.start()

    def _probe(self, name: str, process: subprocess.Popen[bytes]) -> None:
        began, start = time.time(), time.monotonic()
        took_s = self.wait_ready(name, process)
        served = took_s < float("inf") or process.poll() is None
        if served:
            self.restarts.append(Restart(began, name, took_s, _worked_s(process.pid)))
        elif not self._ending.is_set():
            # Else the slowest starts would be those that the next kill hides.
            lived_s = time.monotonic() - start
            self.restarts.append(Restart(began, name, lived_s, 0.0, served=False))


def _worked_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # killed just after it served
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _reads(client: httpx.Client, name: str) -> bool:
    if name == "ingest":
        return True
    figures = client.get(f"/{name}/metrics", timeout=10).raise_for_status().text
    found = re.search(rf'^firstbell_consumer_partitions{{service="{name}"}} (\d+)', figures, re.M)
    return found is not None and int(found[1]) > 0


def new_folder() -> Path:
    """Return a folder that user postgres may enter."""
    folder = Path(tempfile.mkdtemp(prefix="firstbell-torture-"))
    folder.chmod(0o755)
    return folder
