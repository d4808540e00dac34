"""Marks accepted per CPU-second: ingest beside the plain design, in one run.

    .venv/bin/python -m bench.accept [registers]

Servers are processes; counted is their CPU time, and PostgreSQL's where it is used; the client is
not. Every answer is a 202 after the commit. PostgreSQL takes part when FIRSTBELL_TEST_POSTGRES says
where it is (`scripts/postgres-start`): use an empty one.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from libs.common.auth import ADMIN, Issuer
from libs.common.identifiers import check_letter

MARKS = 300
FIRSTBELL = str(Path(sys.executable).with_name("firstbell"))
TICKS = os.sysconf("SC_CLK_TCK")


class Rival(NamedTuple):
    """A server to be measured."""

    name: str
    command: list[str]
    env: dict[str, str]
    port: int


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
                    rate, pace = _measure(rival, Path(folder), registers, senders)
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


def _measure(rival: Rival, folder: Path, registers: int, senders: int) -> tuple[float, float]:
    token = Issuer(folder, "firstbell", "firstbell").token("bench", timedelta(hours=1), scope=ADMIN)
    with _running(rival) as pid:
        schools = int(time.time()) % 8000 * 100 + 100_000  # new ones in each run
        asyncio.run(_send(rival.port, token, 20, senders, schools))  # warm
        before, started = _cpu_s(pid), time.monotonic()
        asyncio.run(_send(rival.port, token, registers, senders, schools + 1))
        took = time.monotonic() - started
        time.sleep(1)  # the relay finishes
        used = _cpu_s(pid) - before
    return registers * MARKS / used, registers / took


async def _send(port: int, token: str, registers: int, senders: int, urn: int) -> None:
    """Send registers over as many kept connections; plain sockets, so that the client is cheap."""
    bodies = {"am": _body("/"), "pm": _body("\\\\")}
    numbers = iter(range(registers))

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            school, sessions = divmod(number, 100)
            day = date(2025, 9, 1) + timedelta(sessions // 2)
            half = "pm" if sessions % 2 else "am"
            path = f"/ingest/v1/schools/{urn + school}/registers/{day}/{half}"
            writer.write(_request(path, token, bodies[half]))
            status, answer = await _answer(reader)
            if status != 202 or answer["accepted"] != MARKS:
                raise SystemExit(f"{status}: not accepted")
        writer.close()

    await asyncio.gather(*(sender() for _ in range(senders)))


def _request(path: str, token: str, body: bytes) -> bytes:
    head = (
        f"PUT {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = head.partition("content-length: ")[2].partition("\r\n")[0]
    return int(head[9:12]), json.loads(await reader.readexactly(int(length)))


def _body(present: str) -> bytes:
    rests = (f"801200{number:06d}" for number in range(MARKS))
    marks = (
        f'{{"upn":"{check_letter(rest)}{rest}","code":"{_code(n) or present}"}}'
        for n, rest in enumerate(rests)
    )
    return f'{{"marks":[{",".join(marks)}]}}'.encode()


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


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process, and of every PostgreSQL process of this machine."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition(") ")
        except OSError:
            continue
        if stat.parent.name == str(pid) or name.endswith("(postgres"):
            fields = rest.split()
            # Its own time, and that of children that have ended: backends of closed connections.
            ticks += sum(int(fields[n]) for n in (11, 12, 13, 14))
    return ticks / TICKS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
