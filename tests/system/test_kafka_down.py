"""With Kafka down registers are still accepted; when it is back they flow, in order."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from libs.common.school_day import london_day, utc_now
from tests.service.ingest_app import upn
from tests.system.test_story import FIRSTBELL, Stack, free_port, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]
SCRIPTS = Path(__file__).parents[2] / "scripts"
SCHOOLS = ("111111", "222222")
DAYS = [london_day(utc_now()) - timedelta(n) for n in (4, 3, 2)]


class Broker:
    """A real Kafka of this test's own, which can be killed and started again where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = self.start()

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
    own = Broker(Path(tempfile.mkdtemp(prefix="fb-kafka-down-")) / "kafka")
    yield own
    own.stop()
    own.folder.parent.rmdir()


@pytest.fixture
def stack(broker: Broker, tmp_path: Path) -> Iterator[Stack]:
    own = Stack(tmp_path)
    own.env |= {
        "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "FIRSTBELL_KAFKA_SERVERS": broker.servers,
        "FIRSTBELL_DATA_DIR": str(tmp_path),
    }
    subprocess.run([FIRSTBELL, "migrate", "ingest", "risk"], env=own.env, check=True)
    for service in ("ingest", "risk"):
        own.ports[service] = free_port()
        own.commands[service] = [
            FIRSTBELL, "serve", service, "--port", str(own.ports[service])
        ]  # fmt: skip
        own.start(service)
    own.wait_ready("ingest", "risk")
    yield own
    own.stop()


def push(client: httpx.Client, school: str, day: object, codes: str) -> str:
    marks = [{"upn": upn(n + 1), "code": code} for n, code in enumerate(codes)]
    path = f"/ingest/v1/schools/{school}/registers/{day}/am"
    answer = client.put(path, json={"marks": marks})
    assert answer.status_code == 202, answer.text
    assert answer.elapsed < timedelta(seconds=2)
    return str(answer.json()["receipt"])


def test_registers_are_accepted_without_kafka_and_flow_when_it_is_back(
    broker: Broker, stack: Stack
) -> None:
    ingest, risk = stack.client("ingest", "admin"), stack.client("risk", "admin")
    first = push(ingest, SCHOOLS[0], DAYS[0], "//I")

    def stage(receipt: str) -> str:
        return str(ingest.get(f"/ingest/v1/receipts/{receipt}").json()["stage"])

    wait_for(lambda: stage(first) == "evaluated", 30)

    broker.kill()
    receipts = [push(ingest, school, day, "/OI") for day in DAYS[1:] for school in SCHOOLS]
    receipts.append(push(ingest, SCHOOLS[0], DAYS[2], "/LI"))  # a correction meanwhile
    assert {stage(receipt) for receipt in receipts} == {"stored"}
    assert "firstbell_outbox_waiting_events" in ingest.get("/ingest/metrics").text

    assert broker.start() == broker.servers
    wait_for(lambda: {stage(receipt) for receipt in receipts} == {"evaluated"}, 60)
    week = risk.get(f"/risk/v1/schools/{SCHOOLS[0]}/attendance").json()
    assert week["sessions_possible"] == 9
    assert week["unauthorised"] == 1  # the O of the day before; the later one is now an L
    assert week["late"] == 1
