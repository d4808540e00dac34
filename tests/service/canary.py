"""What must not be reached: it listens at every address of this machine, and counts who comes."""

import socket
import sys
from typing import Any

from tests.listening import SocketServer

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


class Canary(SocketServer):
    """Takes connections at one port, says nothing and hangs up."""

    def __init__(self) -> None:
        family = socket.AF_INET6
        super().__init__(socket.create_server(("::", 0), family=family, dualstack_ipv6=True))
        self.came = 0

    def _take(self) -> None:
        taken, _ = self._door.accept()
        self.came += 1
        taken.close()
