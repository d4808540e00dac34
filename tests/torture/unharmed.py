"""The house beside: the same services in one process, told the same registers, and left alone.

What it comes to is what the harmed one must come to. That the rules and the sharing are right is
what other tests show; that marks are kept as they were sent is counted here without any service.
"""

import json
import os
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from libs.common.auth import ADMIN, Issuer
from tests.system.stack import free_port
from tests.torture.house import FIRSTBELL, SERVICES
from tests.torture.outcome import Heard, Outcome, Register, heard, outcome
from tests.torture.receivers import Receivers
from tests.torture.settling import backlog, settle, undelivered, wait_until
from tests.torture.world import Request, World


class Unharmed:
    """`firstbell up` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._issuer = Issuer(folder, "firstbell", "firstbell")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTBELL_")}
        command = [FIRSTBELL, "up", "--data", str(self._folder), "--port", str(self._port)]
        with (self._folder / "up.out").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        assert wait_until(self._is_ready, 120) is not None

    def client(self, service: str = "ingest", **claims: Any) -> httpx.Client:
        del service  # one port serves all three
        token = self._issuer.token("unharmed", timedelta(hours=4), **(claims or {"scope": ADMIN}))
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self._port}", headers=headers, timeout=60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def _is_ready(self) -> bool:
        try:
            with self.client() as client:
                return all(client.get(f"/{name}/readyz").is_success for name in SERVICES)
        except httpx.HTTPError:
            return False


def unharmed(folder: Path, world: World) -> tuple[Outcome, Heard]:
    """Run it; return what it came to and what its receivers heard."""
    folder.mkdir()
    house = Unharmed(folder)
    with ExitStack() as ending:
        receivers = ending.enter_context(Receivers(folder, world.seed, refused=0.0, dropped=0.0))
        ending.callback(house.stop)
        house.start()
        settle(house, world, receivers)
        with house.client() as client:
            for first in range(0, len(world.requests), 500):
                _stream(client, world.requests[first : first + 500])
        assert wait_until(lambda: not backlog(house), 600) is not None
        assert wait_until(lambda: not undelivered(house), 600) is not None
        return outcome(house, world), heard(receivers.journal.lines(), world)


def _stream(client: httpx.Client, requests: tuple[Request, ...]) -> None:
    lines = [
        {"urn": one.urn, "date": one.day, "session": one.session, **one.body} for one in requests
    ]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post("/ingest/v1/registers", content=content, headers=headers, timeout=300)
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert not any("status" in one or one["rejected"] for one in told)


def marks_of(world: World) -> dict[Register, tuple[int, dict[str, str]]]:
    """Count without any service: a pupil has the last mark sent; a change makes a revision."""
    held: dict[Register, tuple[int, dict[str, str]]] = {}
    for request in world.requests:
        key = (request.urn, request.day, request.session)
        revision, codes = held.get(key, (0, {}))
        if any(codes.get(upn) != code for upn, code in request.codes.items()):
            held[key] = (revision + 1, codes | request.codes)
    return held
