"""Bytes on their way to somebody who may not be reading: a queue that spills into a file."""

import asyncio
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile

IN_MEMORY_MAX = 1_000_000
SPOOLED_MAX = 256_000_000
READ_AT_ONCE = 64_000


class Spool:
    """A first-in, first-out queue of bytes for one writer and one reader.

    Up to 1 MB waits in memory, up to `bytes_max` in a temporary file; then the writer waits, until
    the reader has taken all of it. Files are written in the event loop: into the page cache.
    """

    def __init__(self, bytes_max: int = SPOOLED_MAX) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_MAX)  # noqa: SIM115
        self._bytes_max = bytes_max
        self._written = 0
        self._read = 0
        self._ended = False
        self._changed = asyncio.Event()

    async def put(self, data: bytes) -> None:
        """Add bytes; wait while the spool is full."""
        while self._written >= self._bytes_max:
            await self._change()
        self._file.seek(self._written)
        self._written += self._file.write(data)
        self._tell()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._tell()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what was put, as soon as there is some, until the end."""
        while True:
            if self._read < self._written:
                yield self._take()
            elif self._ended:
                return
            else:
                await self._change()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _take(self) -> bytes:
        self._file.seek(self._read)
        data = self._file.read(READ_AT_ONCE)
        self._read += len(data)
        if self._read == self._written:
            self._file.truncate(0)
            self._read = self._written = 0
            self._tell()
        return data

    def _tell(self) -> None:
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
