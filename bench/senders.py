"""Who sends in `bench.deliver`, each in its own process: notify's sender, and a plain loop."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import httpx
from standardwebhooks import Webhook

from bench.receivers import SPAWN
from libs.common import logs, tenants
from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import sharing_rules
from services.notify.channels.webhook import KEPT_OPEN_S, Webhooks
from services.notify.retelling import decide_again
from services.notify.secrets import Vault
from services.notify.sender import Sender


@dataclass
class Sending:
    """Notify's sender at work: when it began (`time.monotonic`), and how to end it."""

    began: float
    _pipe: Connection

    def end(self) -> float:
        """End it, and return the CPU seconds that it took."""
        self._pipe.send(None)
        return float(self._pipe.recv())


@contextmanager
def sending(settings: ServiceSettings) -> Iterator[Sending]:
    """Start notify's sender on this database."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_send, args=(settings, theirs), daemon=True)
    process.start()
    try:
        yield Sending(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _send(settings: ServiceSettings, pipe: Connection) -> None:
    # Log lines are written, as in a service, and nobody is to read them here.
    os.dup2(os.open(settings.data_dir / "sender.log", os.O_WRONLY | os.O_CREAT), 1)
    logs.configure(settings.log_level)
    asyncio.run(_send_until_told(settings, pipe))


async def _send_until_told(settings: ServiceSettings, pipe: Connection) -> None:
    rules = sharing_rules.load()
    database = Database(settings.database_url, "notify")
    with tenants.everything():
        sender = Sender(
            settings,
            database,
            lambda: {"webhook": Webhooks(settings, Vault(settings))},
            lambda db, rows: decide_again(db, rules, utc_now(), rows),
        )
        pipe.send(time.monotonic())
        began = time.process_time()
        task = asyncio.create_task(sender.run())
        await asyncio.to_thread(pipe.recv)
        pipe.send(time.process_time() - began)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await database.close()


class Message(NamedTuple):
    """What a plain loop needs to know of a message."""

    url: str
    secret: str
    id: str
    body: str


def plain_cpu_s(messages: Sequence[Message], at_once: int) -> float:
    """Sign and post messages with httpx, so many at once; return the CPU seconds it took."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_post, args=(messages, at_once, theirs), daemon=True)
    process.start()
    took_s = float(ours.recv())
    process.join()
    return took_s


def _post(messages: Sequence[Message], at_once: int, pipe: Connection) -> None:
    asyncio.run(_post_all(messages, at_once, pipe))


async def _post_all(messages: Sequence[Message], at_once: int, pipe: Connection) -> None:
    left = iter(messages)
    # Connections are kept open as notify keeps its own: by default twenty are, for some seconds.
    kept = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT_OPEN_S
    )
    async with httpx.AsyncClient(trust_env=False, limits=kept) as client:
        began = time.process_time()
        await asyncio.gather(*(_post_from(left, client) for _ in range(at_once)))
        pipe.send(time.process_time() - began)


async def _post_from(left: Iterator[Message], client: httpx.AsyncClient) -> None:
    for one in left:
        now = utc_now()
        headers = {
            "content-type": "application/json",
            "webhook-id": one.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(one.secret).sign(one.id, now, one.body),
        }
        answer = await client.post(one.url, content=one.body.encode(), headers=headers)
        answer.raise_for_status()
