"""An answer of which no more than so much is read, whatever it consists of."""

import asyncio
from typing import Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

ANSWER_BYTES_MAX = 32_768
"""Of status lines, interim answers, headers and body together. One more reading, which the socket's
buffer bounds, may have come in when they are counted: 64 kB are never exceeded."""


class AnswerTooLong(aiohttp.ClientError):
    """A receiver sent more than is read."""


class BoundedAnswer(aiohttp.ClientResponse):
    """An answer whose connection is cut off when it is longer than `ANSWER_BYTES_MAX`.

    aiohttp's own limits are on each line and on the number of headers: interim answers (1xx), which
    it passes over, could follow one another for as long as the message has time.
    """

    async def start(self, connection: Connection) -> Self:
        """Read until the headers have come; what follows is counted with them."""
        inner, transport = connection.protocol, connection.transport
        if inner is not None and transport is not None:
            transport.set_protocol(_Counting(inner, transport))
        await super().start(connection)
        return self


class _Counting(asyncio.Protocol):
    """Stands before a connection's protocol from one request to the next."""

    def __init__(self, inner: ResponseHandler, transport: asyncio.Transport) -> None:
        self._inner = inner
        self._transport = transport
        self._left = ANSWER_BYTES_MAX

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._inner.data_received(data)
        else:
            self._inner.set_exception(AnswerTooLong())
            self._transport.abort()

    def eof_received(self) -> None:
        self._inner.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
