"""What became of e-mails and texts after GOV.UK Notify had taken them: it is asked.

A mail server that does not take a mail says so at once; GOV.UK Notify takes whatever looks like an
address, and knows only later that there is nobody.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import endpoint_store, undelivered
from services.notify.delivery import Outcome, Verdict, outcome_of, wait_after
from services.notify.tables import Delivery, Endpoint

if TYPE_CHECKING:
    from services.notify.channels.govuk_notify import GovukNotify

log = structlog.get_logger()
EVERY_S = 60.0
AT_ONCE = 100
FIRST_AFTER = timedelta(seconds=30)
ASKED_FOR = timedelta(days=4)
"""It tries an e-mail or a text for 72 hours, and then says that it failed."""
FATES: Mapping[str, Verdict] = MappingProxyType(
    {
        "delivered": Verdict.TAKEN,
        "sent": Verdict.TAKEN,
        "permanent-failure": Verdict.GONE,
        "temporary-failure": Verdict.NOT_NOW,
        "technical-failure": Verdict.NOT_NOW,
    }
)
"""What its statuses say in the end; all others say that it is under way.

Source: GOV.UK Notify, API documentation, "Status - email" and "Status - text message".
"""


class Receipts:
    """Asks for what is not known yet, and takes back what was thought delivered and was not.

    Args:
        wake: called where something is to be sent again, or told elsewhere.
    """

    def __init__(
        self, settings: ServiceSettings, database: Database, wake: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._database = database
        self._wake = wake
        self._after = 0
        by_template = {
            "email": settings.govuk_notify_email_template,
            "text": settings.govuk_notify_text_template,
        }
        self.kinds = [kind for kind, template in by_template.items() if template is not None]

    async def run(self) -> None:
        """Ask for ever."""
        from services.notify.channels.govuk_notify import GovukNotify  # loads its client

        govuk = GovukNotify(self._settings, "text")
        try:
            while True:
                await self.look(govuk)
                await asyncio.sleep(EVERY_S)
        finally:
            await govuk.close()

    async def look(self, govuk: "GovukNotify") -> None:
        """Ask for some messages, the next ones at the next look, and from the first again."""
        from notifications_python_client.errors import HTTPError

        now = utc_now()
        async with self._database.reading() as db:
            rows = await _unsettled(db, self.kinds, now, self._after)
        self._after = rows[-1].number if len(rows) == AT_ONCE else 0
        told = []
        try:
            for row in rows:
                told.append((row, await govuk.status_of(row.id)))
        except HTTPError as error:
            log.warning("no receipts to be had", status=error.status_code)
        settled = [(row, status) for row, status in told if status in FATES]
        if settled:
            async with self._database.transaction() as db:
                await _settle(db, settled, self._settings.retry_base_s, now)
            self._wake()


async def _unsettled(
    db: AsyncConnection, kinds: Sequence[str], now: datetime, after: int
) -> Sequence[Row[Any]]:
    query = (
        select(Delivery.__table__)
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(
            Endpoint.channel.in_(kinds),
            Delivery.state == "delivered",
            Delivery.receipt.is_(None),
            Delivery.delivered_at.between(now - ASKED_FOR, now - FIRST_AFTER),
            Delivery.number > after,
        )
        .order_by(Delivery.number)
        .limit(AT_ONCE)
    )
    return (await db.execute(query)).all()


async def _settle(
    db: AsyncConnection, told: Sequence[tuple[Row[Any], str]], retry_base_s: float, now: datetime
) -> None:
    outcomes = {r.number: outcome_of(FATES[s], now - r.pending_since) for r, s in told}
    over = [row for row, _ in told if outcomes[row.number] in {Outcome.GONE, Outcome.DEAD}]
    await undelivered.lock_told(db, {row.endpoint for row in over})
    # Whoever heard of it first has taken it back, and told of that.
    still = await _still_delivered(db, outcomes)
    over = [row for row in over if row.number in still]
    gone = {row.endpoint for row in over if outcomes[row.number] is Outcome.GONE}
    for row, status in told:
        if row.number in still:
            values = _values(row, status, outcomes[row.number], retry_base_s, now)
            await db.execute(update(Delivery).where(Delivery.number == row.number).values(values))
    ended = [
        row for endpoint in sorted(gone) for row in await endpoint_store.disable(db, endpoint, now)
    ]
    await undelivered.tell_others(db, ended + over, now)


async def _still_delivered(db: AsyncConnection, numbers: Collection[int]) -> set[int]:
    query = (
        select(Delivery.number)
        .where(Delivery.number.in_(numbers), Delivery.state == "delivered")
        .order_by(Delivery.number)
        .with_for_update()
    )
    return set((await db.execute(query)).scalars())


def _values(
    row: Row[Any], status: str, outcome: Outcome, retry_base_s: float, now: datetime
) -> dict[str, Any]:
    said = {"last_outcome": f"GOV.UK Notify says {status}", "delivered_at": None}
    if outcome is Outcome.DELIVERED:
        return {"receipt": status}
    if outcome is Outcome.RETRY:
        wait = wait_after(row.attempts, retry_base_s, row.id)
        return {**said, "state": "pending", "next_attempt_at": now + wait}
    return {**said, "state": "dead", "receipt": status}
