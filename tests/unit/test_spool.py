"""The spool: what goes in comes out, in order, and neither side need keep pace with the other."""

import asyncio
from contextlib import aclosing

from services.ingest import spool
from services.ingest.spool import Spool


async def test_what_was_put_comes_out_in_order_also_beyond_what_memory_holds() -> None:
    pipe = Spool()
    parts = [b"%d" % n * 1000 for n in range(1000)]
    for part in parts:
        await pipe.put(part)
    pipe.end()

    assert sum(map(len, parts)) > spool.IN_MEMORY_MAX
    assert b"".join([part async for part in pipe.chunks()]) == b"".join(parts)
    pipe.close()


async def test_a_reader_has_each_part_before_the_next_is_put() -> None:
    pipe = Spool()

    async with aclosing(pipe.chunks()) as chunks:
        for part in (b"one", b"two"):
            await pipe.put(part)
            assert await anext(chunks) == part
    pipe.close()


async def test_a_full_spool_makes_the_writer_wait_until_all_of_it_is_read() -> None:
    pipe = Spool(bytes_max=10)
    await pipe.put(b"0123456789")
    waiting = asyncio.create_task(pipe.put(b"more"))

    async with aclosing(pipe.chunks()) as chunks:
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await anext(chunks) == b"0123456789"
        await waiting
        assert await anext(chunks) == b"more"
    pipe.close()
