"""CPU time of other processes: servers that are measured, and PostgreSQL's backends."""

import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(servers: set[int]) -> float:
    """Return the CPU time of processes and of their children: PostgreSQL's backends are some."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if not servers.isdisjoint((int(stat.parent.name), int(fields[1]))):
            # Its own time, and that of children that have ended: backends of closed connections.
            ticks += sum(int(fields[n]) for n in (11, 12, 13, 14))
    return ticks / TICKS


async def postmaster(url: str) -> int:
    """Return the process whose children serve this database: others may run on this machine."""
    engine = create_async_engine(url)
    async with engine.connect() as db:
        file = await db.scalar(text("select pg_read_file('postmaster.pid')"))
    await engine.dispose()
    return int(str(file).split("\n", 1)[0])
