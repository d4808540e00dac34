"""Requests that cost more than they should, against a running installation: refused, cheaply."""

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.stack import ADA, REGISTER, URN, Stack, embedded

pytestmark = pytest.mark.timeout(300)
MEGABYTE = 1_000_000
GROWTH_BYTES_MAX = 100 * MEGABYTE
AS_JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = embedded(tmp_path_factory.mktemp("abuse"))
    try:
        running.wait_ready("ingest", "risk", "notify")
        yield running
    finally:
        running.stop()


def memory_bytes(stack: Stack) -> int:
    pid = stack.processes["up"].pid
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) * 1024


def others(stack: Stack, meanwhile: Callable[[], Any]) -> tuple[float, Any]:
    """Do something while others ask; return the longest that one of these waited, in seconds."""
    found: list[Any] = []
    worker = threading.Thread(target=lambda: found.append(meanwhile()))
    waits = []
    with httpx.Client(base_url=str(stack.client("risk", "admin").base_url)) as other:
        other.get("/risk/healthz")
        worker.start()
        while worker.is_alive() or not waits:
            began = time.monotonic()
            assert other.get("/risk/healthz").status_code == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
    worker.join()
    return max(waits), found[0]


def test_a_body_of_100_mb_is_refused_and_held_by_nobody(stack: Stack) -> None:
    school = stack.client("ingest", "school", "--urn", URN)
    before = memory_bytes(stack)

    def send() -> int:
        part = b" " * MEGABYTE
        try:
            return school.put(
                REGISTER, content=(part for _ in range(100)), headers=AS_JSON, timeout=60
            ).status_code
        except httpx.WriteError:  # refused, and closed before all of it was sent
            return 413

    longest_s, status = others(stack, send)

    assert status == 413
    assert memory_bytes(stack) - before < GROWTH_BYTES_MAX
    assert longest_s < 2


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("as many marks as a body holds", json.dumps({"marks": [{}] * 900_000}).encode()),
        ("brackets", b"[" * 3_000_000),
        ("objects", b'{"marks":' * 300_000),
        ("one long number", b'{"marks": ' + b"9" * 3_000_000 + b"}"),
        ("one long name", b'{"' + b"a" * 3_000_000 + b'": 1}'),
    ],
)
def test_a_body_made_to_be_dear_is_refused_and_others_go_on(
    stack: Stack, what: str, content: bytes
) -> None:
    school = stack.client("ingest", "school", "--urn", URN)
    before = memory_bytes(stack)

    def send() -> httpx.Response:
        return school.put(REGISTER, content=content, headers=AS_JSON, timeout=60)

    longest_s, answer = others(stack, send)

    # 900,000 empty marks are a register in which each of them is told to be wrong.
    assert answer.status_code in {422, 413, 202}, what
    assert answer.status_code != 202 or answer.json()["accepted"] == 0
    assert memory_bytes(stack) - before < 4 * GROWTH_BYTES_MAX
    assert longest_s < 5


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"kind=k{n}" for n in range(5_000)),
        "raised_from=" + "9" * 20_000,
        "raised_from=2026-09-14T00:00:00" + "0" * 20_000,
        "limit=" + "9" * 5_000,
        "cursor=" + "A" * 20_000,
        "upn=" + "a" * 30_000 + "!",
    ],
)
def test_a_query_made_to_be_dear_is_answered_at_once(stack: Stack, query: str) -> None:
    admin = stack.client("risk", "admin")

    began = time.monotonic()
    answer = admin.get(f"/risk/v1/bells?{query}")

    assert answer.status_code in {200, 422}
    assert time.monotonic() - began < 2


def test_uploads_that_never_end_cost_others_nothing(stack: Stack) -> None:
    school = stack.client("ingest", "school", "--urn", URN)
    head = (
        f"PUT {REGISTER} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: {school.headers['authorization']}\r\ncontent-length: 1000\r\n\r\n{{"
    )
    address = ("127.0.0.1", stack.ports["ingest"])
    slow = [socket.create_connection(address) for _ in range(100)]
    try:
        for one in slow:
            one.sendall(head.encode())

        times = []
        for _ in range(50):
            began = time.monotonic()
            body = {"marks": [{"upn": ADA, "code": "/"}]}
            assert school.put(REGISTER, json=body).status_code == 202
            times.append(time.monotonic() - began)
    finally:
        for one in slow:
            one.close()

    assert statistics.median(times) < 0.5
