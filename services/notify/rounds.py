"""Rounds: what is due by the clock is looked for again and again, each in its own transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from services.notify.sharing_rules import SharingRules

EVERY_S = 30.0
AT_ONCE = 100

Due = Callable[[AsyncConnection, datetime, int], Awaitable[Sequence[UUID]]]
"""Returns the ids of what is due by then, the longest due first, so many at most."""
Take = Callable[[AsyncConnection, UUID, SharingRules, datetime], Awaitable[None]]
"""Does what is due of one of them, by these rules, at that time."""


@dataclass
class Round:
    """Looks for what is due, and takes it.

    Args:
        wake: called after each commit: there may be something to send.
    """

    database: Database
    rules: Callable[[], SharingRules]
    wake: Callable[[], None]
    now: Callable[[], datetime]
    due: Due
    take: Take

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Take whatever is due now."""
        async with self.database.reading() as db:
            due = await self.due(db, self.now(), AT_ONCE)
        for id in due:
            async with self.database.transaction() as db:
                await self.take(db, id, self.rules(), self.now())
            self.wake()
