"""Webhook receivers for `bench.deliver`: one process, a port each on loopback, well or sick."""

import asyncio
import random
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, cast

SPAWN = get_context("spawn")
SLOW_S = 2.5
"""How long a slow receiver thinks about each message."""


class Kind(StrEnum):
    """How a receiver is."""

    WELL = "well"
    SLOW = "slow"
    HALF = "500 half the time"
    SHUT = "shut"
    """Nobody listens there."""
    MUTE = "mute"
    """It takes everything and never answers."""


class Arrival(NamedTuple):
    """A request as it came: which receiver, what it bore, when (`time.monotonic`), the answer."""

    receiver: int
    webhook_id: str
    sequence: int
    at: float
    status: int


@dataclass
class Receivers:
    """Those who receive; they run in a process of their own."""

    urls: list[str]
    _pipe: Connection

    def taken(self) -> int:
        """Return how many messages those that are well have taken."""
        return cast(int, self._ask("taken"))

    def arrivals(self) -> list[Arrival]:
        """Return all that came, in the order in which it came, and forget it."""
        return cast(list[Arrival], self._ask("arrivals"))

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextmanager
def receiving(kinds: Sequence[Kind]) -> Iterator[Receivers]:
    """Start a receiver of each of these kinds."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(kinds, theirs), daemon=True)
    process.start()
    try:
        yield Receivers([f"http://127.0.0.1:{port}/alerts" for port in ours.recv()], ours)
    finally:
        process.terminate()
        process.join()


def _serve(kinds: Sequence[Kind], pipe: Connection) -> None:
    asyncio.run(_listen(kinds, pipe))


async def _listen(kinds: Sequence[Kind], pipe: Connection) -> None:
    arrivals: list[Arrival] = []
    sockets = [socket.socket() for _ in kinds]
    loop = asyncio.get_running_loop()
    for number, (kind, its) in enumerate(zip(kinds, sockets, strict=True)):
        its.bind(("127.0.0.1", 0))
        if kind is not Kind.SHUT:
            made = partial(_Receiver, number, kind, arrivals, random.Random(number))
            await loop.create_server(made, sock=its)
    wells = {number for number, kind in enumerate(kinds) if kind is Kind.WELL}
    pipe.send([its.getsockname()[1] for its in sockets])

    def answer() -> None:
        if pipe.recv() == "taken":
            pipe.send(len({one.webhook_id for one in arrivals if one.receiver in wells}))
        else:
            pipe.send(list(arrivals))
            arrivals.clear()

    loop.add_reader(pipe.fileno(), answer)
    await asyncio.Event().wait()


class _Receiver(asyncio.Protocol):
    """One connection: as little as HTTP allows, so that little of the machine goes into it."""

    def __init__(
        self, number: int, kind: Kind, arrivals: list[Arrival], chance: random.Random
    ) -> None:
        self._number = number
        self._kind = kind
        self._arrivals = arrivals
        self._held = b""
        self._chance = chance

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, body = self._held.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if not end or len(body) < int(headers[b"content-length"]):
            return
        self._held = b""
        self._take(headers[b"webhook-id"].decode(), int(body[12:].split(b",", 1)[0]))

    def _take(self, id: str, sequence: int) -> None:
        fails = self._kind is Kind.HALF and self._chance.random() < 0.5
        status = 0 if self._kind is Kind.MUTE else 500 if fails else 204
        self._arrivals.append(Arrival(self._number, id, sequence, time.monotonic(), status))
        if status:
            wait_s = SLOW_S if self._kind is Kind.SLOW else 0.0
            asyncio.get_running_loop().call_later(wait_s, self._answer, status)

    def _answer(self, status: int) -> None:
        if not self._transport.is_closing():
            self._transport.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
