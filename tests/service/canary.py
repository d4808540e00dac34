"""What must not be reached: it listens at every address of this machine, and counts who comes."""

import socket
import sys
import threading
from types import TracebackType
from typing import Any, Self

_CONNECTS: list[tuple[str, int]] = []


def _note(event: str, what: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(what[1], tuple):
        _CONNECTS.append((str(what[1][0]), int(what[1][1])))


sys.addaudithook(_note)  # for good: Python takes none back


def connects(but_port: int) -> list[str]:
    """Return every address that this process tried to connect to since it was last asked.

    Connections to one port, which are the test's own, are left out.
    """
    tried = [host for host, port in _CONNECTS if port != but_port]
    _CONNECTS.clear()
    return tried


class Canary:
    """Takes connections at one port, says nothing and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self._socket.settimeout(0.05)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.came = 0

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self._socket.getsockname()[1])

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                taken, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.came += 1
            taken.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
