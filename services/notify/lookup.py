"""Names looked up in threads of their own: a name server that is silent holds up no other name."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS_MAX = 128
"""At a time: as many threads. A silent name server holds one for half a minute or so."""
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
Info = tuple[Any, Any, int, str, Any]
"""As `socket.getaddrinfo` gives it."""


class Lookup:
    """Asks the system for names' addresses.

    The loop's own way has four threads (uvloop's), or a few more, for all that is looked up in the
    process: as many names whose server never answers would stop it. A stop waits for none of these.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(LOOKUPS_MAX)

    async def addresses(self, host: str, port: int | None = None, family: int = 0) -> list[Info]:
        """Return a host's addresses.

        Raises:
            OSError: it has none, or nobody knows it.
            UnicodeError: no name can be written so.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Info]] = loop.create_future()

        def ask() -> None:
            answer: list[Info] | Exception
            try:
                answer = list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
            except Exception as error:
                answer = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._tell, found, answer)

        await self._places.acquire()
        threading.Thread(target=ask, name="lookup", daemon=True).start()
        return await found

    def _tell(self, found: asyncio.Future[list[Info]], answer: list[Info] | Exception) -> None:
        self._places.release()
        if found.done():
            return
        if isinstance(answer, Exception):
            found.set_exception(answer)
        else:
            found.set_result(answer)


class Resolver(AbstractResolver):
    """A `Lookup` as aiohttp asks it."""

    def __init__(self) -> None:
        self._lookup = Lookup()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a host's addresses as numbers."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=NUMERIC,
            )
            for kind, _, protocol, _, address in await self._lookup.addresses(host, port, family)
        ]

    async def close(self) -> None:
        """Leave what is still asked to its thread."""
