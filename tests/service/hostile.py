"""Receivers of webhooks that do everything wrong, over real sockets."""

import gzip
import itertools
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tests.listening import SocketServer, small

MARK = "WordOfTheReceiver"
"""In whatever a receiver says, as far as it says anything: nobody is to read it anywhere."""
DRIP_S = 0.1
OK = f"HTTP/1.1 200 {MARK}\r\n".encode()
BLOCK = MARK.encode() * 240
DELIVERED = "delivered (200)"
SILENCE = "no answer in time"
HUNG_UP = "hung up"
NO_CONNECTION = "cannot be connected to"
IMPROPER = "no proper answer"
TOO_LONG = "too long an answer"


class Wire:
    """One connection, as the receiver has it."""

    def __init__(self, receiver: "Hostile", connection: socket.socket) -> None:
        self._receiver = receiver
        self.socket = connection

    def read_request(self) -> bytes:
        """Read what is sent to it: all comes at once."""
        return self.socket.recv(65_536)

    def send(self, data: bytes) -> None:
        """Send, as far as it is taken."""
        while data:
            count = self.socket.send(data)
            self._receiver.sent += count
            data = data[count:]

    def drip(self, parts: Iterable[bytes]) -> None:
        """Send a little at a time, for as long as it is taken."""
        for part in parts:
            self.send(part)
            if self._receiver.closing.wait(DRIP_S):
                return

    def flood(self, parts: Iterable[bytes]) -> None:
        """Send as fast as it is taken."""
        for part in parts:
            self.send(part)
            if self._receiver.closing.is_set():
                return

    def hang(self) -> None:
        """Do nothing until the other side has had enough."""
        while not self._receiver.closing.is_set():
            try:
                if not self.socket.recv(65_536):
                    return
            except TimeoutError:
                continue

    def reset(self) -> None:
        """End with a RST."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()


Behaviour = Callable[[Wire], None]


class Hostile(SocketServer):
    """Listens on a free port of the loopback and behaves so with each who comes."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        door = socket.socket()
        small(door, 4096)
        door.bind(("127.0.0.1", 0))
        door.listen(64)
        super().__init__(door)
        self._behave = behave
        self._tls = tls
        self.came = 0
        self.sent = 0
        """Bytes, of which some may lie in buffers of the system."""

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Return its address."""
        return f"{scheme}://{host}:{self.port}/hook"

    def _take(self) -> None:
        self._start(self._meet, self._door.accept()[0])
        self.came += 1

    def _meet(self, connection: socket.socket) -> None:
        connection.settimeout(0.5)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while not self.closing.is_set():
                try:
                    self._behave(Wire(self, connection))
                    break
                except TimeoutError:  # what it sends is not taken: it tries on
                    continue
        except OSError:
            pass  # the other side has had enough
        finally:
            connection.close()


def answers(*parts: bytes) -> Behaviour:
    """Take the request, send this, hang up."""

    def behave(wire: Wire) -> None:
        wire.read_request()
        wire.send(b"".join(parts))

    return behave


def floods(head: bytes, *block: bytes) -> Behaviour:
    """Take the request, then send on and on."""

    def behave(wire: Wire) -> None:
        wire.read_request()
        wire.send(head)
        wire.flood(itertools.repeat(block[0] if block else BLOCK))

    return behave


def drips(head: bytes, parts: Iterable[bytes]) -> Behaviour:
    """Take the request, then send a little at a time."""

    def behave(wire: Wire) -> None:
        wire.read_request()
        wire.send(head)
        wire.drip(parts)

    return behave


def resets(head: bytes, *, reads: bool = True) -> Behaviour:
    """Send this, then a RST."""

    def behave(wire: Wire) -> None:
        if reads:
            wire.read_request()
        wire.send(head)
        wire.reset()

    return behave


def hangs(head: bytes) -> Behaviour:
    """Take the request, send this, and keep the connection."""

    def behave(wire: Wire) -> None:
        wire.read_request()
        wire.send(head)
        wire.hang()

    return behave


def echoes(wire: Wire) -> None:
    """Send the request's own headers and body back, as headers and as a body."""
    raw = wire.read_request()
    lines = raw.decode("latin-1").replace("\r\n", " ")
    body = raw + MARK.encode()
    head = f"X-Back: {lines[:4000]}\r\nContent-Length: {len(body)}\r\n\r\n"
    wire.send(OK + head.encode("latin-1") + body)


def redirects_to_itself(wire: Wire) -> None:
    """Send whoever comes here, here."""
    here = wire.socket.getsockname()[1]
    wire.read_request()
    wire.send(f"HTTP/1.1 302 {MARK}\r\nLocation: http://127.0.0.1:{here}/hook\r\n\r\n".encode())
    wire.hang()


def endless_lines() -> Iterator[bytes]:
    """Yield headers."""
    for number in itertools.count():
        yield f"X-{number}: {MARK}\r\n".encode()


class Ill(NamedTuple):
    """How a receiver behaves, and what the delivery log may say of it."""

    behave: Behaviour
    told: set[str]


BOMB = gzip.compress(b"\0" * 10_000_000)
LENGTH = b"Content-Length: %d\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
TEN_GB = OK + LENGTH % 10_000_000_000
ILLS = {
    # It says nothing, or too slowly.
    "never answers": Ill(hangs(b""), {SILENCE}),
    "never even reads": Ill(lambda wire: wire.hang(), {SILENCE}),
    "a status a byte at a time": Ill(
        drips(b"", [bytes([b]) for b in OK * 100]), {SILENCE, IMPROPER}
    ),
    "headers one at a time, for ever": Ill(drips(OK, endless_lines()), {SILENCE}),
    "a header a byte at a time": Ill(drips(OK + b"X-A: ", itertools.repeat(b"a")), {SILENCE}),
    "a body a byte at a time": Ill(drips(TEN_GB, itertools.repeat(b"a")), {DELIVERED}),
    "a body that does not come": Ill(hangs(OK + LENGTH % 9), {DELIVERED}),
    "interim answers one at a time": Ill(
        drips(b"", itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n")), {SILENCE}
    ),
    "an interim answer, and no other": Ill(hangs(b"HTTP/1.1 100 Continue\r\n\r\n"), {SILENCE}),
    # It says too much.
    "a body without end": Ill(floods(OK + b"\r\n"), {DELIVERED}),
    "ten gigabytes": Ill(floods(TEN_GB), {DELIVERED}),
    "chunks without end": Ill(
        floods(OK + CHUNKED, b"f00\r\n" + b"a" * 0xF00 + b"\r\n"), {DELIVERED}
    ),
    "a chunk without end": Ill(floods(OK + CHUNKED + b"fffffffffff\r\n"), {DELIVERED, IMPROPER}),
    "a chunk's extension without end": Ill(floods(OK + CHUNKED + b"1;a="), {DELIVERED, IMPROPER}),
    "trailers without end": Ill(
        floods(OK + CHUNKED + b"0\r\n", b"X: y\r\n"), {DELIVERED, IMPROPER}
    ),
    "a gzip bomb": Ill(
        hangs(OK + b"Content-Encoding: gzip\r\n" + LENGTH % len(BOMB) + BOMB), {DELIVERED}
    ),
    "a deflate bomb in chunks": Ill(
        floods(
            OK + b"Content-Encoding: deflate\r\n" + CHUNKED, b"1000\r\n" + b"\0" * 4096 + b"\r\n"
        ),
        {DELIVERED},
    ),
    "ten thousand headers": Ill(
        answers(OK, *itertools.islice(endless_lines(), 10_000), b"\r\n"), {IMPROPER, TOO_LONG}
    ),
    "ten thousand cookies": Ill(
        answers(OK, b"Set-Cookie: a=b\r\n" * 10_000, b"\r\n"), {IMPROPER, TOO_LONG}
    ),
    "headers without end": Ill(floods(OK, b"X-A: b\r\n"), {IMPROPER, TOO_LONG}),
    "a header without end": Ill(floods(OK + b"X-A: "), {IMPROPER, TOO_LONG}),
    "a status without end": Ill(floods(b"HTTP/1.1 200 "), {IMPROPER, TOO_LONG}),
    "interim answers without end": Ill(
        floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40), {TOO_LONG}
    ),
    "interim answers with headers without end": Ill(
        floods(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 40), {TOO_LONG}
    ),
    "nought bytes without end": Ill(floods(b"", b"\0" * 4096), {IMPROPER, TOO_LONG}),
    "line breaks without end": Ill(floods(b"", b"\r\n" * 2048), {IMPROPER, TOO_LONG}),
    "much after an answer that has no body": Ill(
        floods(b"HTTP/1.1 204 " + MARK.encode() + b"\r\n\r\n"), {"delivered (204)", IMPROPER}
    ),
    "answer after answer": Ill(floods(b"", (OK + LENGTH % 0) * 40), {DELIVERED, IMPROPER}),
    # It hangs up.
    # Where the RST is there first, there never was a connection.
    "a reset at once": Ill(resets(b"", reads=False), {HUNG_UP, NO_CONNECTION}),
    "a reset after the request": Ill(resets(b""), {HUNG_UP}),
    "a reset within the headers": Ill(resets(OK + b"X-A: "), {HUNG_UP}),
    "a reset within the body": Ill(resets(OK + LENGTH % 99 + b"a"), {DELIVERED, HUNG_UP}),
    "a reset after the body": Ill(resets(OK + LENGTH % 1 + b"a"), {DELIVERED, HUNG_UP}),
    "an end without an answer": Ill(answers(), {HUNG_UP}),
    "an end within the headers": Ill(answers(OK, b"X-A: b\r\n"), {HUNG_UP, IMPROPER}),
    "an end within the body": Ill(answers(OK, LENGTH % 99, b"a"), {DELIVERED}),
    "an end within a chunk": Ill(answers(OK, CHUNKED, b"ff\r\na"), {DELIVERED}),
    # It speaks otherwise.
    "no HTTP at all": Ill(hangs(b"SSH-2.0-OpenSSH_9.2 " + MARK.encode() + b"\r\n"), {IMPROPER}),
    "a mail server": Ill(hangs(b"220 mail ESMTP\r\n"), {IMPROPER}),
    "HTTP 0.9": Ill(answers(b"<p>" + MARK.encode() + b"</p>"), {IMPROPER}),
    "HTTP 1.0": Ill(answers(b"HTTP/1.0 200 OK\r\n\r\n" + MARK.encode()), {DELIVERED}),
    "HTTP 2": Ill(hangs(b"\0\0\x12\4\0\0\0\0\0" + b"\0" * 18), {IMPROPER}),
    "HTTP 9.9": Ill(hangs(b"HTTP/9.9 200 OK\r\n\r\n"), {IMPROPER, DELIVERED}),
    "another protocol from now on": Ill(
        hangs(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), {"retry (101)"}
    ),
    "a status that is none": Ill(hangs(b"HTTP/1.1 abc OK\r\n\r\n"), {IMPROPER}),
    "a status of 999": Ill(hangs(b"HTTP/1.1 999 " + LENGTH % 0), {"retry (999)", IMPROPER}),
    "a length below nought": Ill(hangs(OK + b"Content-Length: -1\r\n\r\n"), {IMPROPER}),
    "two lengths": Ill(hangs(OK + b"Content-Length: 1\r\n" + LENGTH % 2), {IMPROPER}),
    "too great a length": Ill(
        hangs(OK + b"Content-Length: " + b"9" * 99 + b"\r\n\r\n"), {IMPROPER}
    ),
    "a length and chunks": Ill(
        hangs(OK + b"Content-Length: 1\r\n" + CHUNKED), {IMPROPER, DELIVERED}
    ),
    "too short a length": Ill(hangs(OK + LENGTH % 1 + BLOCK), {DELIVERED, IMPROPER}),
    "a NUL in a header": Ill(hangs(OK + b"X-A: \0\r\n\r\n"), {IMPROPER}),
    "lone line breaks": Ill(hangs(b"HTTP/1.1 200 OK\nX-A: b\rX-B: c\n\n"), {IMPROPER, DELIVERED}),
    "the request back": Ill(echoes, {DELIVERED, IMPROPER}),
    "a redirect to itself": Ill(redirects_to_itself, {"retry (302)"}),
    "an answer before the request": Ill(
        lambda wire: (wire.send(OK + LENGTH % 0), wire.hang())[0], {DELIVERED, IMPROPER, HUNG_UP}
    ),
}
