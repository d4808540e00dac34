"""The receivers of docs/samples take the real sender's messages, each once, and nobody else's."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.settings import ServiceSettings
from services.notify.secrets import new_secret
from tests.conftest import until
from tests.service.notify_app import House, bell, running

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
COMMANDS = {"python": [sys.executable, "receiver.py"], "javascript": ["node", "receiver.mjs"]}


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> list[str]:
    if shutil.which(COMMANDS[request.param][0]) is None:
        pytest.skip("node is not installed")
    return COMMANDS[request.param]


class Receiver:
    """A sample, running: where it listens, what it has kept, what it has said."""

    def __init__(self, url: str, file: Path) -> None:
        self.url, self.file = url, file
        self.said: list[str] = []

    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]

    async def has(self, count: int) -> list[dict[str, Any]]:
        async def came() -> bool:
            return len(self.kept()) >= count

        await until(came)
        return self.kept()


@asynccontextmanager
async def receiving(
    command: list[str], file: Path, secret: str, port: int = 0
) -> AsyncIterator[Receiver]:
    started = await asyncio.create_subprocess_exec(
        *command, str(port), str(file), cwd=SAMPLES, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "WEBHOOK_SECRET": secret},
    )  # fmt: skip
    assert started.stdout is not None
    first = (await started.stdout.readline()).decode()
    receiver = Receiver(f"http://127.0.0.1:{first.split()[-1]}/hook", file)

    async def listen(lines: asyncio.StreamReader) -> None:
        async for line in lines:
            receiver.said.append(line.decode().strip())

    listening = asyncio.create_task(listen(started.stdout))
    try:
        yield receiver
    finally:
        started.terminate()
        await started.wait()
        await listening


def port_of(receiver: Receiver) -> int:
    return httpx.URL(receiver.url).port or 0


async def settled(house: House, made: dict[str, Any], count: int) -> None:
    async def delivered() -> bool:
        found = [one["state"] for one in await house.deliveries(made)]
        return found == ["delivered"] * count

    await until(delivered)


async def test_a_sample_keeps_the_real_senders_messages_once_across_a_rotation_and_a_restart(
    house: House, command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "messages.ndjson"
    async with receiving(command, file, new_secret()) as stranger:
        # It does not know the secret yet, and takes nothing.
        made = await house.endpoint(stranger.url)
        await house.tell(bell())
        port = port_of(stranger)

        async def refused() -> bool:
            return bool((await house.deliveries(made))[0]["last_status"] == 401)

        await until(refused)
        assert stranger.kept() == []
    async with receiving(command, file, made["secret"], port) as receiver:
        await receiver.has(1)
        path = f"/v1/endpoints/{made['id']}/rotate-secret"
        rotated = await house.client.post(path, headers=house.bearer())
        await house.tell(bell("escalated", 2))
        await receiver.has(2)
    async with receiving(command, file, rotated.json()["secret"], port) as receiver:
        await house.tell(bell("cleared", 3))
        await receiver.has(3)
        await settled(house, made, 3)
        since = {"since": "2020-01-01T00:00:00Z", "state": "all"}
        path = f"/v1/endpoints/{made['id']}/replay"
        again = await house.client.post(path, json=since, headers=house.bearer())
        await settled(house, made, 3)
        kept = receiver.kept()

    assert again.json() == {"messages": 3}
    assert [one["sequence"] for one in kept] == [1, 2, 3]
    assert [one["type"] for one in kept] == ["alert.raised", "alert.escalated", "alert.cleared"]
    assert [one["id"] for one in kept] == [
        one["id"] for one in reversed(await house.deliveries(made))
    ]


async def test_a_sample_says_what_a_challenge_says_and_which_numbers_have_not_come(
    house: House, command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "messages.ndjson"
    async with receiving(command, file, new_secret()) as stranger:
        made, port = await house.endpoint(stranger.url), port_of(stranger)
    for what in ("test", "challenge"):
        path = f"/v1/endpoints/{made['id']}/{what}"
        assert (await house.client.post(path, headers=house.bearer())).status_code == 202
    # As if the first had been lost.
    await house.execute("UPDATE delivery SET state = 'dead' WHERE type = 'endpoint.test'")
    async with receiving(command, file, made["secret"], port) as receiver:
        await receiver.has(1)

        async def said() -> bool:
            return len(receiver.said) >= 2

        await until(said)

    (code,) = re.findall(r"verify with: (\S+)", "\n".join(receiver.said))
    told = {"challenge": code}
    path = f"/v1/endpoints/{made['id']}/verify"
    verified = await house.client.post(path, json=told, headers=house.bearer())
    assert verified.status_code == 200
    assert re.sub(r"[\[\] ]", "", receiver.said[0]) == "endpoint.challengemissing:1"
