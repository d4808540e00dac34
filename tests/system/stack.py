"""Firstbell as processes: `firstbell up`, or the three services on Kafka and PostgreSQL."""

import base64
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from typer.testing import CliRunner

from libs.common.school_day import london_day, utc_now
from services.cli import app
from tests.patience import PATIENCE_S
from tests.system.receiver import Receiver

ADA = "B801200005001"
URN = "100000"
FIRSTBELL = str(Path(sys.executable).with_name("firstbell"))
TODAY = london_day(utc_now()).isoformat()
REGISTER = f"/ingest/v1/schools/{URN}/registers/{TODAY}/am"

INVOLVEMENT = {
    "role": "social_worker", "footing": "child_in_need", "from": "2020-01-01", "to": None,
}  # fmt: skip
PUPIL = {
    "given_name": "Ada", "family_name": "Example", "date_of_birth": "2014-02-03",
    "year_group": "7", "entered_on": "2020-09-01", "identifiers": {"social_care": "LCS-81"},
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(true: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    end = time.monotonic() + patience_s
    while not (answer := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return answer


class Stack:
    """Running processes, and clients that bear tokens for them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.processes: dict[str, Any] = {}
        self.commands: dict[str, list[str]] = {}
        self.ports: dict[str, int] = {}
        self.clients: dict[tuple[str, tuple[str, ...]], httpx.Client] = {}
        strange = ("FIRSTBELL_", "PYTHONDONTWRITEBYTECODE")  # an image has its modules compiled
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}

    def start(self, name: str) -> None:
        log = (self.data / f"{name}.out").open("ab")
        self.processes[name] = subprocess.Popen(
            self.commands[name], env=self.env, stdout=log, stderr=log
        )
        log.close()

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def wait_ready(self, *services: str) -> None:
        for service in services:
            wait_for(lambda service=service: self.is_ready(service))

    def is_ready(self, service: str) -> bool:
        try:
            return self.client(service, "admin").get(f"/{service}/readyz").is_success
        except httpx.HTTPError:
            return False

    def client(self, service: str, *token: str) -> httpx.Client:
        if (service, token) not in self.clients:
            self.clients[service, token] = self._client(service, *token)
        return self.clients[service, token]

    def _client(self, service: str, *token: str) -> httpx.Client:
        command = ["token", *token, "--data", str(self.data)]
        bearer = CliRunner().invoke(app, command, catch_exceptions=False).stdout.strip()
        base = f"http://127.0.0.1:{self.ports[service]}"
        headers = {"Authorization": f"Bearer {bearer}"}
        return httpx.Client(base_url=base, headers=headers, timeout=PATIENCE_S)

    def stop(self) -> None:
        for client in self.clients.values():
            client.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(15)


class Named(Stack):
    """A stack whose processes have their names again: they wait for no dead ones to be given up."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.env["FIRSTBELL_INSTANCE"] = "named"


LEDGER_KEY = base64.b64encode(bytes(range(32)))
"""Of all that share a database, as docs/deploy.md has it: they prove one ledger."""
AStack = TypeVar("AStack", bound=Stack)


def embedded(data: Path, kind: type[AStack] = Stack) -> AStack:
    stack = kind(data)
    port = free_port()
    stack.ports = dict.fromkeys(("ingest", "risk", "notify"), port)
    stack.commands["up"] = [FIRSTBELL, "up", "--data", str(data), "--port", str(port)]
    stack.start("up")
    return stack


def clustered(data: Path, kind: type[AStack] = Stack) -> AStack:
    stack = kind(data)
    (data / "ledger.key").write_bytes(LEDGER_KEY)
    stack.env |= {
        "FIRSTBELL_DATABASE_URL": os.environ["FIRSTBELL_TEST_POSTGRES"],
        "FIRSTBELL_KAFKA_SERVERS": os.environ["FIRSTBELL_TEST_KAFKA"],
        "FIRSTBELL_DATA_DIR": str(data),
        "FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS": "true",
    }
    subprocess.run([FIRSTBELL, "migrate"], env=stack.env, check=True)
    for service in ("ingest", "risk", "notify"):
        stack.ports[service] = free_port()
        port = str(stack.ports[service])
        stack.commands[service] = [FIRSTBELL, "serve", service, "--port", port]
        stack.start(service)
    return stack


STACKS = [
    "embedded",
    pytest.param("clustered", marks=[pytest.mark.kafka, pytest.mark.postgres]),
]


@contextmanager
def running(which: str, data: Path, kind: type[AStack] = Stack) -> Iterator[AStack]:
    """Run one of `STACKS` until it is left.

    Another worker's waits meanwhile for the same Kafka: services of one group share its partitions,
    and what one stack is sent the other would handle.
    """
    with ExitStack() as turn:
        if which == "clustered":
            turn.enter_context(_alone_at(os.environ["FIRSTBELL_TEST_KAFKA"]))
        stack = {"embedded": embedded, "clustered": clustered}[which](data, kind)
        turn.callback(stack.stop)
        stack.wait_ready("ingest", "risk", "notify")
        yield stack


@contextmanager
def _alone_at(servers: str) -> Iterator[None]:
    place = Path(tempfile.gettempdir()) / f"firstbell-tests-at-{servers.replace(':', '-')}.lock"
    with place.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(client: httpx.Client, path: str, body: Any) -> httpx.Response:
    answer = client.put(path, json=body)
    assert answer.is_success, answer.text
    return answer


def people(
    stack: Stack, receiver: Receiver, upn: str = ADA, urn: str = URN, worker: str = "sam"
) -> str:
    """A social worker of a child of a school, and the worker's endpoint; return its id."""
    admin = stack.client("notify", "admin")
    put(admin, "/notify/v1/agencies/social", {"name": "Care", "kind": "social_care", "la": "801"})
    body = {"name": "Sam Worker", "agency": "social", "roles": ["social_worker"]}
    put(admin, f"/notify/v1/practitioners/{worker}", body)
    involvements = [{"practitioner": worker, **INVOLVEMENT}]
    put(admin, f"/notify/v1/children/{upn}/involvements", {"involvements": involvements})
    pupils = [{"upn": upn, **PUPIL}]
    put(stack.client("ingest", "admin"), f"/ingest/v1/schools/{urn}/roll", {"pupils": pupils})
    made = admin.post(
        "/notify/v1/endpoints", json={"practitioner": worker, "url": receiver.url("/sam")}
    )
    assert made.status_code == 201, made.text
    receiver.secrets["/sam"] = made.json()["secret"]
    return str(made.json()["id"])
