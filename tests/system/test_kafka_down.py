"""With Kafka down registers are still accepted; when it is back they flow, in order."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from tests.service.ingest_app import upn
from tests.system.stack import FIRSTBELL, Stack, free_port, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]
SCRIPTS = Path(__file__).parents[2] / "scripts"
SCHOOLS = ("111111", "222222")
MONDAY = date(2025, 9, 15)
WEEK = [(MONDAY + timedelta(n), session) for n in range(5) for session in ("am", "pm")]


class Broker:
    """A real Kafka of this test's own, which can be killed and started again where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        script = str(SCRIPTS / "kafka-start")
        out = subprocess.run(
            [script, str(self.folder)], check=True, capture_output=True, text=True
        ).stdout
        return out.strip().removeprefix("bootstrap=")

    def kill(self) -> None:
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)

    def stop(self) -> None:
        subprocess.run([str(SCRIPTS / "kafka-stop"), str(self.folder)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def broker() -> Iterator[Broker]:
    home = Path(tempfile.mkdtemp(prefix="fb-kafka-down-"))
    home.chmod(0o755)
    own = Broker(home / "kafka")
    try:
        yield own
    finally:
        own.stop()
        home.rmdir()


@pytest.fixture
def stack(broker: Broker, tmp_path: Path) -> Iterator[Stack]:
    own = Stack(tmp_path)
    own.env |= {
        "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "FIRSTBELL_KAFKA_SERVERS": broker.start(),
        "FIRSTBELL_DATA_DIR": str(tmp_path),
    }
    subprocess.run([FIRSTBELL, "migrate", "ingest", "risk"], env=own.env, check=True)
    try:
        for service in ("ingest", "risk"):
            port = own.ports[service] = free_port()
            own.commands[service] = [FIRSTBELL, "serve", service, "--port", str(port)]
            own.start(service)
        own.wait_ready("ingest", "risk")
        yield own
    finally:
        own.stop()


def pupil(school: str, number: int) -> str:
    return upn(10 * SCHOOLS.index(school) + number)


def push(client: httpx.Client, school: str, when: tuple[date, str], codes: str) -> str:
    """Send a register; it must be taken within the client's patience, 5 s."""
    marks = [{"upn": pupil(school, n), "code": code} for n, code in enumerate(codes)]
    day, session = when
    path = f"/ingest/v1/schools/{school}/registers/{day}/{session}"
    answer = client.put(path, json={"marks": marks})
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == []
    return str(answer.json()["receipt"])


def test_registers_are_accepted_without_kafka_and_ring_when_it_is_back(
    broker: Broker, stack: Stack
) -> None:
    ingest, risk = stack.client("ingest", "admin"), stack.client("risk", "admin")

    def stages(receipts: list[str]) -> set[str]:
        gets = (ingest.get(f"/ingest/v1/receipts/{receipt}") for receipt in receipts)
        return {str(got.json()["stage"]) for got in gets}

    first = [push(ingest, school, WEEK[0], "/OI") for school in SCHOOLS]
    wait_for(lambda: stages(first) == {"evaluated"})

    broker.kill()
    receipts = [push(ingest, school, when, "/OI") for when in WEEK[1:] for school in SCHOOLS]
    receipts.append(push(ingest, SCHOOLS[0], WEEK[-1], "LOI"))  # a correction meanwhile
    assert stages(receipts) == {"stored"}

    started = broker.start()
    assert started == stack.env["FIRSTBELL_KAFKA_SERVERS"]
    wait_for(lambda: stages(receipts) == {"evaluated"})
    # Ten unauthorised sessions: it takes every register of the week to ring.
    bells = risk.get("/risk/v1/bells?kind=penalty-threshold").json()["items"]
    rung = sorted((bell["urn"], bell["upn"], bell["status"]) for bell in bells)
    assert rung == [(school, pupil(school, 1), "ringing") for school in SCHOOLS]
    span = f"from={WEEK[0][0]}&to={WEEK[-1][0]}"
    week = risk.get(f"/risk/v1/schools/{SCHOOLS[0]}/attendance?{span}").json()
    told = {name: week[name] for name in ("sessions_possible", "unauthorised", "late")}
    assert told == {"sessions_possible": 30, "unauthorised": 10, "late": 1}
