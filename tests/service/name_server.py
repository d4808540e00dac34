"""A real name server on loopback, and the system's own resolver told to ask it."""

import ctypes
import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from tests.listening import SocketServer

A, CNAME, AAAA = 1, 5, 28


class Found(NamedTuple):
    """What a name leads to: through these other names, to these addresses; silent: to no answer."""

    addresses: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    is_silent: bool = False


class NameServer(SocketServer):
    """Answers for the names it has, with a time to live of 0; it knows no others.

    A name's nth lookup gets its nth answer, and the last one ever after.
    """

    def __init__(self, names: Mapping[str, Sequence[Found]]) -> None:
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind(("127.0.0.1", 0))
        super().__init__(door)
        self._names = {name.lower(): answers for name, answers in names.items()}
        self._asked: Counter[tuple[str, int]] = Counter()

    def asked(self, name: str) -> int:
        """Return how often a name's IPv4 addresses were asked for."""
        return self._asked[name, A]

    def _take(self) -> None:
        query, sender = self._door.recvfrom(2048)
        answer = self._answer(query)
        if answer is not None:
            self._door.sendto(answer, sender)

    def _answer(self, query: bytes) -> bytes | None:
        name, kind, end = _question(query)
        answers = self._names.get(name, [Found()])
        found = answers[min(self._asked[name, kind], len(answers) - 1)]
        self._asked[name, kind] += 1
        if found.is_silent:
            return None
        records = _records(name, found, kind)
        unknown = 0 if name in self._names else 3
        flags = struct.pack("!HHHHH", 0x8180 | unknown, 1, len(records), 0, 0)
        return query[:2] + flags + query[12:end] + b"".join(records)

    def be_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the system's resolver ask this server, in whichever thread it is called."""
        ask, port = socket.getaddrinfo, self.port

        def asking_here(*what: Any, **more: Any) -> Any:
            _point_resolver_at(port)
            return ask(*what, **more)

        monkeypatch.setattr(socket, "getaddrinfo", asking_here)


def _question(query: bytes) -> tuple[str, int, int]:
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode().lower())
        place += 1 + length
    return ".".join(labels), struct.unpack("!H", query[place + 1 : place + 3])[0], place + 5


def _records(name: str, found: Found, kind: int) -> list[bytes]:
    names = [name, *found.through]
    records = [_record(one, CNAME, _encoded(following)) for one, following in pairwise(names)]
    for address in map(ipaddress.ip_address, found.addresses):
        if kind == (A if address.version == 4 else AAAA):
            records.append(_record(names[-1], kind, address.packed))
    return records


def _record(name: str, kind: int, content: bytes) -> bytes:
    return _encoded(name) + struct.pack("!HHIH", kind, 1, 0, len(content)) + content


def _encoded(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _point_resolver_at(port: int) -> None:
    # glibc's resolver has a state for each thread: how many servers there are, and which.
    libc = ctypes.CDLL(None)
    libc.__res_state.restype = ctypes.c_void_p
    libc.__res_init()
    state = libc.__res_state()
    server = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + b"\x7f\0\0\1" + b"\0" * 8
    ctypes.memmove(state + 16, struct.pack("=i", 1) + server, 4 + len(server))
