"""An upgrade under load: old and new replicas side by side, and nobody notices.

The old version is an earlier commit of this repository, run with today's packages. Its replicas
serve while the migrations run and while each of them in its turn is replaced by a new one.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.ingest_app import upn
from tests.system.earlier import EARLIER, ROOT
from tests.system.receiver import Receiver
from tests.system.servers import own_servers
from tests.system.stack import (
    FIRSTBELL,
    INVOLVEMENT,
    PUPIL,
    TODAY,
    Stack,
    free_port,
    wait_for,
)

OLD_COMMAND = [sys.executable, "-c", "from services.cli import app; app()"]
SERVICES = ("ingest", "risk", "notify")
SENDERS, CHILDREN, WORKERS = 2, 4000, 20
"""Children enough for ten minutes, if all is answered at once: the slowest roll-out takes less."""
START_PATIENCE_S = 180.0
"""Six processes start beside one another, and other tests beside them."""
ANSWER_PATIENCE_S = 30.0
"""As an ingress has it, and not a test's client: another replica is asked after that."""

pytestmark = [
    pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(1800), pytest.mark.history,
]  # fmt: skip


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the old version's code, its rules compiled."""
    folder = tmp_path_factory.mktemp("old")
    what = ["git", "-C", str(ROOT), "archive", EARLIER, "libs", "services"]
    archive = subprocess.run(what, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    compile_rules = [sys.executable, "-c", "import services.risk.main"]
    subprocess.run(compile_rules, env={"PYTHONPATH": str(folder)}, cwd=folder, check=True)
    return folder


class Replicas(Stack):
    """Two replicas of each service, of the old version until they are replaced."""

    def __init__(self, data: Path, old: Path, url: str, broker: str) -> None:
        super().__init__(data)
        self.env |= {
            "FIRSTBELL_DATABASE_URL": url,
            "FIRSTBELL_KAFKA_SERVERS": broker,
            "FIRSTBELL_DATA_DIR": str(data),
            "FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS": "true",
        }
        self.probe = httpx.Client()
        self.of_old = {**self.env, "PYTHONPATH": str(old)}
        self.old = old
        self.migrate(OLD_COMMAND, self.of_old, old)
        for service, number in itertools.product(SERVICES, (1, 2)):
            self.ports[f"{service}-{number}"] = free_port()
            self._serve(f"{service}-{number}", OLD_COMMAND, self.of_old, old)

    def migrate(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        subprocess.run([*command, "migrate"], env=env, cwd=cwd, check=True)

    def _serve(self, name: str, command: list[str], env: dict[str, str], cwd: Path) -> None:
        arguments = ["serve", name.split("-")[0], "--port", str(self.ports[name])]
        with (self.data / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *arguments], env=env, cwd=cwd, stdout=log, stderr=log
            )

    def replace(self, name: str) -> None:
        """End an old replica as an orchestrator does, and start a new one in its place."""
        self.processes[name].terminate()
        self.processes[name].wait(15)
        self._serve(name, [FIRSTBELL], self.env, self.data)

    def is_serving(self, name: str) -> bool:
        service = name.split("-")[0]
        try:
            return self.probe.get(
                f"http://127.0.0.1:{self.ports[name]}/{service}/readyz"
            ).is_success
        except httpx.TransportError:
            return False


class Balancer:
    """Gives requests to replicas in turn, and to the next one what a replica does not answer.

    As an ingress does, it also asks another one again, except for a POST, after a 503 that bears
    Retry-After: a replica that stops says so of what it still has in hand, and the locks of a
    migration may make an old one's transaction the victim of a deadlock.
    """

    def __init__(self, stack: Replicas) -> None:
        self._clients = {
            service: itertools.cycle(
                [stack.client(f"{service}-{number}", "admin") for number in (1, 2)]
            )
            for service in SERVICES
        }
        self.answers: Counter[int] = Counter()
        self.refusals: list[str] = []
        """What was answered where a request did not succeed."""
        self.again: Counter[str] = Counter()
        """Requests that were sent again, by why."""

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send until somebody answers; return the answer's body."""
        service = path.split("/")[1]
        for _ in range(6):
            try:
                answer = next(self._clients[service]).request(
                    method, path, json=body, timeout=ANSWER_PATIENCE_S
                )
            except httpx.TransportError as error:
                self.again[f"{service}: {type(error).__name__}"] += 1
                continue
            if method != "POST" and answer.status_code == 503 and "retry-after" in answer.headers:
                self.again[f"{service}: {answer.text}"] += 1
                time.sleep(0.5)
                continue
            self.answers[answer.status_code] += 1
            if not answer.is_success:
                self.refusals.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return answer.json()
        raise AssertionError(f"no replica of {service} answers")

    def __str__(self) -> str:
        """Return what was answered, and what was not."""
        return f"answers {dict(self.answers)}, again {dict(self.again)}, {self.refusals[:5]}"


class Load:
    """Two schools that send register after register, each about a child not seen before."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.faults: list[Exception] = []
        """What ended a school's sending."""
        self.children: list[str] = []
        self.receipts: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        try:
            for child in range(number, CHILDREN, SENDERS):
                self._absent(178_000 + number, child)
                if self._ended.wait(0.3):
                    return
            raise AssertionError(f"no child is left of {CHILDREN}: the roll-out takes too long")
        except Exception as fault:
            self.faults.append(fault)

    def wait(self, true: Callable[[], Any], patience_s: float = 60.0) -> None:
        """Wait until it is true, while the load goes on.

        Raises:
            AssertionError: it has ended, or it was in vain; with what the balancer has seen.
        """
        try:
            wait_for(lambda: self.faults or true(), patience_s)
        except AssertionError as vain:
            raise AssertionError(f"waited in vain, {self.balancer}") from vain
        if self.faults:
            raise AssertionError(f"the load has ended, {self.balancer}") from self.faults[0]

    def _absent(self, urn: int, child: int) -> None:
        one = upn(child)
        involvements = [{"practitioner": f"worker-{child % WORKERS}", **INVOLVEMENT}]
        path = f"/notify/v1/children/{one}/involvements"
        self.balancer.send("PUT", path, {"involvements": involvements})
        body = {"group": f"G{child}", "marks": [{"upn": one, "code": "N"}]}
        taken = self.balancer.send("PUT", f"/ingest/v1/schools/{urn}/registers/{TODAY}/am", body)
        self.receipts.append(taken["receipt"])
        self.children.append(one)

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def directory(balancer: Balancer, receiver: Receiver) -> None:
    """The social workers and their endpoints."""
    agency = {"name": "Care", "kind": "social_care", "la": "801"}
    balancer.send("PUT", "/notify/v1/agencies/social", agency)
    for number in range(WORKERS):
        body = {"name": f"Worker {number}", "agency": "social", "roles": ["social_worker"]}
        balancer.send("PUT", f"/notify/v1/practitioners/worker-{number}", body)
        where = {"practitioner": f"worker-{number}", "url": receiver.url(f"/{number}")}
        made = balancer.send("POST", "/notify/v1/endpoints", where)
        receiver.secrets[f"/{number}"] = made["secret"]
    for number in range(SENDERS):
        pupils = [{"upn": upn(n), **PUPIL} for n in range(number, CHILDREN, SENDERS)]
        balancer.send("PUT", f"/ingest/v1/schools/{178_000 + number}/roll", {"pupils": pupils})


@pytest.fixture
def replicas(old_version: Path, tmp_path: Path) -> Iterator[Replicas]:
    with own_servers() as servers:
        made = Replicas(tmp_path, old_version, servers.url, servers.broker)
        try:
            for name in made.ports:
                wait_for(partial(made.is_serving, name), START_PATIENCE_S)
            yield made
        finally:
            made.stop()
            made.probe.close()


def bells(balancer: Balancer) -> list[dict[str, Any]]:
    found = []
    for number in range(SENDERS):
        path = f"/risk/v1/bells?kind=unexplained-absence&limit=500&urn={178_000 + number}"
        cursor = ""
        while cursor is not None:
            page = balancer.send("GET", f"{path}{cursor and '&cursor='}{cursor}")
            found += page["items"]
            cursor = page["next"]
    return found


def test_old_and_new_side_by_side_lose_nothing_and_tell_nothing_twice(replicas: Replicas) -> None:
    balancer = Balancer(replicas)
    with Receiver() as receiver:
        directory(balancer, receiver)
        load = Load(balancer)
        load.wait(lambda: len(load.children) > 20)

        replicas.migrate([FIRSTBELL], replicas.env, replicas.data)
        so_far = len(load.children)
        load.wait(lambda: len(receiver.received) > so_far)  # the old ones go on
        for name in list(replicas.ports):
            replicas.replace(name)
            load.wait(partial(replicas.is_serving, name), START_PATIENCE_S)
        so_far = len(load.children)
        load.wait(lambda: len(load.children) > so_far + 10)
        load.end()
        wait_for(
            lambda: len({one.webhook_id for one in receiver.received}) >= len(load.children), 60
        )

        assert load.faults == []
        assert set(balancer.answers) <= {200, 201, 202, 204}, balancer.answers
        for receipt in load.receipts:
            balancer.send("GET", f"/ingest/v1/receipts/{receipt}")
        assert set(balancer.answers) <= {200, 201, 202, 204}, balancer.answers
        rung = bells(balancer)
        assert sorted(bell["upn"] for bell in rung) == sorted(load.children)
        assert {bell["status"] for bell in rung} == {"ringing"}
        told = {(one.body["data"]["alert"], one.webhook_id) for one in receiver.received}
        assert all(one.verified for one in receiver.received)
        assert len({alert for alert, _ in told}) == len(told) == len(load.children)
        assert balancer.send("GET", "/notify/v1/disclosures/verify")["ok"]
