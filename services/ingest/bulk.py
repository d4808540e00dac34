"""A stream of registers, NDJSON: a line at a time, in constant memory, receipts in order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from libs.common.auth import Caller
from libs.common.problems import Forbidden, InvalidRequest, Problem, TooLarge, Unavailable
from services.ingest.accept import Committer, Register
from services.ingest.body import read_line
from services.ingest.days import fault_of_day
from services.ingest.registers import sort_out
from services.ingest.spool import Spool
from services.ingest.store import Key

log = structlog.get_logger()

LINES_AT_ONCE = 64
"""Lines that are on their way together, so that they can share a transaction."""

Answer = asyncio.Future[dict[str, Any]]


async def lines(chunks: AsyncIterator[bytes], bytes_max: int) -> AsyncIterator[bytes | None]:
    """Yield a stream's lines; None for one over `bytes_max`, which is never held whole."""
    rest, skipping = bytearray(), False
    async for chunk in chunks:
        *whole, tail = chunk.split(b"\n")
        for part in whole:
            rest += part
            yield None if skipping or len(rest) > bytes_max else bytes(rest)
            rest, skipping = bytearray(), False
        rest += tail
        if len(rest) > bytes_max:
            rest, skipping = bytearray(), True
    if rest or skipping:
        yield None if skipping else bytes(rest)


@dataclass
class Bulk:
    """One caller's stream."""

    committer: Committer
    caller: Caller
    backfill: bool

    async def receipts(self, source: AsyncIterator[bytes | None]) -> AsyncIterator[bytes]:
        """Yield the answers as lines of JSON.

        They wait in a spool for a sender that reads none until it has sent all: were they to
        fill the socket instead, neither side could go on.
        """
        spool = Spool()
        filling = asyncio.create_task(self._fill(spool, source))
        try:
            async for part in spool.chunks():
                yield part
            await filling
        finally:
            filling.cancel()
            await asyncio.wait([filling])
            spool.close()

    async def _fill(self, spool: Spool, source: AsyncIterator[bytes | None]) -> None:
        try:
            async with aclosing(self.answers(source)) as answers:
                async for answer in answers:
                    await spool.put(msgspec.json.encode(answer) + b"\n")
        finally:
            spool.end()

    async def answers(
        self, source: AsyncIterator[bytes | None]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a receipt or a problem for each line, in order, with its number.

        Lines are read ahead while earlier ones are stored, and each is answered as soon as it can
        be, so a sender that waits for an answer before its next line gets it.
        """
        queue: asyncio.Queue[tuple[int, Answer | Problem] | None] = asyncio.Queue(LINES_AT_ONCE)
        reader = asyncio.create_task(self._read(source, queue))
        try:
            while (item := await queue.get()) is not None:
                yield await _told(*item)
            await reader
        finally:
            reader.cancel()

    async def _read(
        self,
        source: AsyncIterator[bytes | None],
        queue: asyncio.Queue[tuple[int, Answer | Problem] | None],
    ) -> None:
        number = 0
        try:
            async for line in source:
                number += 1
                if line is None or line.strip():
                    await queue.put((number, self._submit(line)))
        finally:
            await queue.put(None)

    def _submit(self, line: bytes | None) -> Answer | Problem:
        # Queued at once, in the order of the lines: a school's registers stay in order.
        try:
            if line is None:
                raise TooLarge("The line is too long: send the register in groups.")
            urn, day, session, marks = read_line(line)
            if not self.caller.speaks_for(urn):
                raise Forbidden("The token does not speak for this school.")
            fault = fault_of_day(day)
            if fault:
                raise InvalidRequest(f"Mend the date: {fault}.")
            good = sort_out(day, session, marks)
            register = Register(Key(urn, day, session), good, self.caller.subject, self.backfill)
            return self.committer.submit(register)
        except Problem as problem:
            return problem


async def _told(number: int, answer: Answer | Problem) -> dict[str, Any]:
    try:
        if isinstance(answer, Problem):
            raise answer
        return {"line": number, **await answer}
    except Problem as error:
        problem = error
    except (DBAPIError, OSError):
        problem = Unavailable("The database did not answer: send this line again.")
    except Exception as error:
        log.error("unhandled error", error=type(error).__name__)
        problem = Problem("The error is logged. Nothing of this line was stored.")
    told = {"line": number, "status": problem.status, "title": problem.title}
    return {**told, "detail": problem.detail, **problem.members}
