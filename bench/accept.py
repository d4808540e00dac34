"""Marks accepted per CPU-second: ingest beside the plain design, in one run.

    .venv/bin/python -m bench.accept [registers]

Servers are processes; counted is their CPU time, and PostgreSQL's where it is used; the client is
not. Every answer is a 202 after the commit, and every register is read back afterwards. PostgreSQL
takes part when FIRSTBELL_TEST_POSTGRES says where it is (`scripts/postgres-start`): use an empty
one that nobody else is working with.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.cpu import cpu_s, postmaster
from libs.common.auth import ADMIN, Issuer
from libs.common.identifiers import check_letter

MARKS = 300
PRESENT = {"am": "/", "pm": "\\"}
FIRSTBELL = str(Path(sys.executable).with_name("firstbell"))


class Rival(NamedTuple):
    """A server to be measured."""

    name: str
    command: list[str]
    env: dict[str, str]
    port: int


class Call(NamedTuple):
    """A request, and the answer that it must get: its status, and what to find in it."""

    request: bytes
    status: int
    expected: Callable[[dict[str, Any]], bool]


def main(registers: int) -> None:
    """Measure every rival on every database there is, and print the table."""
    table = Table(
        "database",
        "senders",
        "design",
        "marks a CPU-second",
        "ratio",
        "registers/s",
        title="Accept",
    )
    for database, url in _databases():
        for senders in (1, 64):
            base = None
            for make in (_plain, _ours):
                with tempfile.TemporaryDirectory() as folder:
                    rival = make(Path(folder), url)
                    rate, pace = _measure(rival, Path(folder), url, registers, senders)
                base = base or rate
                cells = (f"{rate:,.0f}", f"{rate / base:.1f}", f"{pace:,.0f}")
                table.add_row(database, str(senders), rival.name, *cells)
    Console(width=100).print(table)


def _databases() -> Iterator[tuple[str, str | None]]:
    yield "SQLite", None
    if url := os.environ.get("FIRSTBELL_TEST_POSTGRES"):
        yield "PostgreSQL", url


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("FIRSTBELL_")}


def _ours(folder: Path, url: str | None) -> Rival:
    url = url or f"sqlite+aiosqlite:///{folder}/{{service}}.db"
    env = _clean() | {"FIRSTBELL_DATABASE_URL": url, "FIRSTBELL_DATA_DIR": str(folder)}
    subprocess.run([FIRSTBELL, "migrate", "ingest"], env=env, check=True, capture_output=True)
    port = _free_port()
    return Rival("Firstbell", [FIRSTBELL, "serve", "ingest", "--port", str(port)], env, port)


def _plain(folder: Path, url: str | None) -> Rival:
    port = _free_port()
    url = url or f"sqlite+aiosqlite:///{folder}/plain.db"
    env = _clean() | {"PLAIN_URL": url, "PLAIN_PORT": str(port)}
    return Rival("a row a mark", [sys.executable, "-m", "bench.plain"], env, port)


def _measure(
    rival: Rival, folder: Path, url: str | None, registers: int, senders: int
) -> tuple[float, float]:
    token = Issuer(folder, "firstbell", "firstbell").token("bench", timedelta(hours=1), scope=ADMIN)
    others = {asyncio.run(postmaster(url))} if url else set()
    with _running(rival) as pid:
        schools = int(time.time()) % 8000 * 100 + 100_000  # new ones in each run
        asyncio.run(_talk(rival.port, senders, _puts(20, schools, token)))  # warm
        before, started = cpu_s({pid} | others), time.monotonic()
        asyncio.run(_talk(rival.port, senders, _puts(registers, schools + 1, token)))
        took = time.monotonic() - started
        time.sleep(1)  # the relay finishes
        used = cpu_s({pid} | others) - before
        asyncio.run(_talk(rival.port, 1, _gets(registers, schools + 1, token)))
    return registers * MARKS / used, registers / took


async def _talk(port: int, senders: int, calls: Iterable[Call]) -> None:
    """Make the calls over as many kept connections; plain sockets, so that the client is cheap."""
    waiting = iter(calls)

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for call in waiting:
            writer.write(call.request)
            status, answer = await _answer(reader)
            if status != call.status or not call.expected(answer):
                raise SystemExit(f"{status}, {call.status} was due: not what was sent")
        writer.close()

    await asyncio.gather(*(sender() for _ in range(senders)))


def _puts(registers: int, urn: int, token: str) -> Iterator[Call]:
    """Send each register once; every mark is taken."""
    bodies = {half: json.dumps({"marks": _marks(half)}).encode() for half in PRESENT}
    for path, half in _registers(registers, urn):
        request = _request("PUT", path, token, bodies[half])
        yield Call(request, 202, lambda answer: answer["accepted"] == MARKS)


def _gets(registers: int, urn: int, token: str) -> Iterator[Call]:
    """Read each register; every mark is there as it was sent."""
    sent = {half: _codes(_marks(half)) for half in PRESENT}
    for path, half in _registers(registers, urn):

        def is_whole(answer: dict[str, Any], half: str = half) -> bool:
            return _codes(answer["marks"]) == sent[half]

        yield Call(_request("GET", path, token), 200, is_whole)


def _registers(count: int, urn: int) -> Iterator[tuple[str, str]]:
    for number in range(count):
        school, sessions = divmod(number, 100)
        day = date(2025, 9, 1) + timedelta(sessions // 2)
        half = "pm" if sessions % 2 else "am"
        yield f"/ingest/v1/schools/{urn + school}/registers/{day}/{half}", half


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = head.partition("content-length: ")[2].partition("\r\n")[0]
    return int(head[9:12]), json.loads(await reader.readexactly(int(length)))


def _marks(half: str) -> list[dict[str, str]]:
    rests = (f"801200{number:06d}" for number in range(MARKS))
    return [
        {"upn": check_letter(rest) + rest, "code": _code(n) or PRESENT[half]}
        for n, rest in enumerate(rests)
    ]


def _codes(marks: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((mark["upn"], mark["code"]) for mark in marks)


def _code(number: int) -> str:
    return "I" if number % 20 == 0 else "O" if number % 61 == 0 else ""


@contextmanager
def _running(rival: Rival) -> Iterator[int]:
    with subprocess.Popen(rival.command, env=rival.env, stderr=subprocess.DEVNULL) as process:
        try:
            _until(lambda: _answers(rival.port))
            yield process.pid
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not true():
        if time.monotonic() > end:
            raise SystemExit("The server did not start.")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
