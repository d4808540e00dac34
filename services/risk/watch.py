"""The watch: a school whose register has not come by the set hour is told of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from libs.common import consumer
from libs.common.database import Database
from libs.common.eventlog import EventLog, LogUnavailable
from libs.common.school_day import LONDON, Session, ordinal_of, utc_now
from libs.common.settings import ServiceSettings
from services.risk import store
from services.risk.evaluate import Evaluator

log = structlog.get_logger()

EVERY_S = 30.0
SCHOOLS_MIN, SHARE_MAX = 3, 0.5
"""When so many schools, and more than this share of those expected, are silent at once, the fault
is on our side or in the calendars: it is told to the operator and not to each school."""


def latest_due(now: datetime, hours: dict[Session, time]) -> int | None:
    """Return the ordinal of today's latest session whose register is due; None before the first."""
    here = now.astimezone(LONDON)
    due = [session for session in Session if here.time() >= hours[session]]
    return ordinal_of(here.date(), due[-1]) if due else None


def hours_of(settings: ServiceSettings) -> dict[Session, time]:
    """Return when each session's registers are due."""
    return {Session.am: settings.register_due_am, Session.pm: settings.register_due_pm}


@dataclass
class Watch:
    """Looks twice a day for schools that were expected and have not been heard of."""

    database: Database
    log: EventLog
    evaluator: Evaluator
    hours: dict[Session, time]
    wake: Callable[[], None]
    now: Callable[[], datetime] = utc_now
    _seen_to: int = 0

    async def run(self) -> None:
        """Look whenever a set hour has passed, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Ring for the schools that are silent now, once for each hour that passes."""
        due = latest_due(self.now(), self.hours)
        if due is None or due <= self._seen_to or not await self._is_up_to_date():
            return
        async with self.database.reading() as db:
            expected, silent = await store.schools_expected(db, due)
        if len(silent) >= SCHOOLS_MIN and len(silent) > SHARE_MAX * expected:
            log.error("most schools are silent: nobody told", silent=len(silent), of=expected)
            silent = []
        for urn in silent:
            try:
                async with self.database.transaction() as db:
                    await self.evaluator.take_silence(db, urn, due, self.now())
            finally:
                self.evaluator.forget()
            self.wake()
        self._seen_to = due

    async def _is_up_to_date(self) -> bool:
        """Whether every register that was published has been taken: else the silence is ours."""
        try:
            async with self.database.reading() as db:
                following = await consumer.positions(db, "risk")
            return not any((await self.log.waiting(following)).values())
        except (LogUnavailable, SQLAlchemyError, OSError):
            return False
