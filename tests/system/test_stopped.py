"""SIGTERM under load: what was answered 202 is kept, nobody gets a 5xx, no message is lost."""

import signal
import threading
import time

import httpx

from libs.common.school_day import london_day, utc_now
from tests.service.ingest_app import upn
from tests.system.receiver import Receiver
from tests.system.stack import Stack, people, wait_for

TODAY = london_day(utc_now())
STOPS_WITHIN_S = 10.0
SENDERS = 6
CHILD, SCHOOL, WORKER = upn(770_001), "177001", "worker-177001"


class Load:
    """Schools that send register after register until their connection ends."""

    def __init__(self, stack: Stack) -> None:
        admin = stack.client("ingest", "admin")
        self.taken: dict[str, str] = {}
        self.refused: list[int] = []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(number, admin)) for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int, admin: httpx.Client) -> None:
        with httpx.Client(base_url=admin.base_url, headers=admin.headers, timeout=30) as client:
            sent = 0
            while not self._ended.is_set():
                path = f"/ingest/v1/schools/{177_100 + number}/registers/{TODAY}/am"
                child = upn(771_000 + 1000 * number + sent % 999)
                code = "/L"[sent // 999 % 2]
                try:
                    answer = client.put(path, json={"marks": [{"upn": child, "code": code}]})
                except httpx.TransportError:
                    return  # the connection has ended
                if answer.status_code == 202:
                    self.taken[answer.json()["receipt"]] = path
                else:
                    self.refused.append(answer.status_code)
                sent += 1

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def stopped(stack: Stack) -> dict[str, float]:
    """End every process by SIGTERM; return how long each took, in seconds."""
    began = time.monotonic()
    for process in stack.processes.values():
        process.send_signal(signal.SIGTERM)
    took = {}
    for name, process in stack.processes.items():
        assert process.wait(30) in {0, -signal.SIGTERM}, name
        took[name] = time.monotonic() - began
    return took


def test_a_stop_under_load_loses_nothing_that_was_accepted(stack: Stack) -> None:
    load = Load(stack)
    wait_for(lambda: len(load.taken) > 100)

    took = stopped(stack)
    load.end()
    for name in stack.processes:
        stack.start(name)
    stack.wait_ready("ingest", "risk", "notify")

    assert max(took.values()) < STOPS_WITHIN_S
    assert load.refused == []
    admin = stack.client("ingest", "admin")
    for receipt in load.taken:
        assert admin.get(f"/ingest/v1/receipts/{receipt}").status_code == 200


class SlowReceiver(Receiver):
    """Answers its first message only after `let_go`; by then the sender may be gone."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def next_status(self) -> int:
        self.let_go.wait(20)
        return super().next_status()


def test_a_message_under_way_at_a_stop_comes_again_with_the_same_id(stack: Stack) -> None:
    with SlowReceiver() as receiver:
        people(stack, receiver, CHILD, SCHOOL, WORKER)
        path = f"/ingest/v1/schools/{SCHOOL}/registers/{TODAY}/am"
        admin = stack.client("ingest", "admin")
        for code in "/N":
            assert admin.put(path, json={"marks": [{"upn": CHILD, "code": code}]}).is_success
        wait_for(lambda: receiver.received)

        took = stopped(stack)
        receiver.let_go.set()
        for name in stack.processes:
            stack.start(name)
        stack.wait_ready("ingest", "risk", "notify")
        wait_for(lambda: len(receiver.received) > 1)
        assert admin.put(path, json={"marks": [{"upn": CHILD, "code": "/"}]}).is_success

        ids = [one.webhook_id for one in receiver.received[:2]]
        assert max(took.values()) < STOPS_WITHIN_S
        assert len(set(ids)) == 1
        assert receiver.received[1].verified
