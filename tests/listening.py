"""Real servers on real sockets: for one app, and for what others run at the edge."""

import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI


@contextmanager
def listening(app: FastAPI, buffer_bytes: int | None = None) -> Iterator[str]:
    """Serve an app on a free port, and give its address; the kernel's buffers may be set small."""
    with socket.socket() as door:
        if buffer_bytes is not None:
            small(door, buffer_bytes)
        door.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the app did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def small(end: socket.socket, buffer_bytes: int) -> None:
    """Let the kernel hold no more than about this much for either direction."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, buffer_bytes)


class Server(ABC):
    """Runs in threads of its own while it is entered."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def _start(self, run: Callable[..., None], *what: Any) -> None:
        thread = threading.Thread(target=run, args=what)
        self._threads.append(thread)
        thread.start()

    @abstractmethod
    def _serve(self) -> None:
        """Serve until `closing` is set."""

    @abstractmethod
    def _shut(self) -> None:
        """Give back what was held while it served."""

    def close(self) -> None:
        """Be away from now on."""
        if not self.closing.is_set():
            self.closing.set()
            for thread in self._threads:
                thread.join()
            self._shut()

    def __enter__(self) -> Self:
        self._start(self._serve)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()


class SocketServer(Server):
    """Takes from one socket what comes to it, a piece or a connection at a time."""

    def __init__(self, door: socket.socket) -> None:
        super().__init__()
        self._door = door
        door.settimeout(0.05)

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self._door.getsockname()[1])

    @abstractmethod
    def _take(self) -> None:
        """Take one; a `TimeoutError` says that none was there."""

    def _serve(self) -> None:
        while not self.closing.is_set():
            try:
                self._take()
            except TimeoutError:
                continue

    def _shut(self) -> None:
        self._door.close()


class QuietHandler(BaseHTTPRequestHandler):
    """Writes no line for each request."""

    def body(self) -> bytes:
        """Return what came with the request."""
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, status: int, said: bytes = b"", **headers: str) -> None:
        """Answer with these bytes; a header's name has `_` for `-`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Threading(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a fault, but not that who asked has gone: senders are killed, and meant to be."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class HttpServer(Server):
    """Answers requests on a free port of 127.0.0.1, each in a thread."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__()
        self._server = _Threading(("127.0.0.1", 0), handler)
        self._server.timeout = 0.05

    def url(self, path: str = "") -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def _serve(self) -> None:
        while not self.closing.is_set():
            self._server.handle_request()

    def _shut(self) -> None:
        self._server.server_close()
