"""What was held back from its recipient is told when nothing holds it back and it still rings."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.identifiers import id_of
from libs.common.school_day import london_day, utc_now
from services.notify import alert_store, holding_store
from services.notify.deciding import decide, known_of
from services.notify.sharing_rules import SharingRules
from services.notify.telling import telling

EVERY_S = 30.0
AT_ONCE = 100


@dataclass
class Holder:
    """Looks for alerts whose silence is over, and lets them go."""

    database: Database
    rules: Callable[[], SharingRules]
    wake: Callable[[], None]
    now: Callable[[], datetime] = utc_now

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Let go whatever is due, each bell in a transaction of its own."""
        async with self.database.reading() as db:
            due = await holding_store.bells_due(db, self.now(), AT_ONCE)
        for bell_id in due:
            async with self.database.transaction() as db:
                await self._let_go(db, bell_id)
            self.wake()

    async def _let_go(self, db: AsyncConnection, bell_id: UUID) -> None:
        now, rules = self.now(), self.rules()
        bell = (await alert_store.bells_by_id(db, {bell_id}))[bell_id]
        out = await telling(db, {bell_id}, now, rules.version, {bell["urn"]})
        known = await known_of(db, [bell], to_change=True)
        due = {row.alert: row for row in out.held.values() if row.due_at and row.due_at <= now}
        for one in decide(bell, known, rules, london_day(now)):
            row = out.alerts[bell_id].get(one.recipient.person.id)
            if row is None or row["id"] not in due or row["status"] == "closed":
                continue
            if one.decision.fields and bell["status"] == "ringing":
                cause = id_of("let go", row["id"], due[row["id"]].by)
                out.record(bell, one, cause, "raised")
                out.tell(bell, "alert.raised", one, cause, why="no longer held back")
        # Who may see it no more, or has closed it unheard, is told nothing.
        out.let_go |= due.keys() - out.to_hold.keys()
        await out.write(db)
