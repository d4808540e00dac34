"""What those who close alerts say of the bells is told to risk: whether each was a false one."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events import BellJudged
from services.notify import store
from services.notify.impact import FALSE
from services.notify.tables import StoredBell


async def tell(db: AsyncConnection, alert: Mapping[str, Any], now: datetime) -> None:
    """Tell how an alert, which has just been closed, was judged.

    Of a bell that was erased after its time nothing is told: risk has forgotten it too.
    """
    row = await store.row_of(db, StoredBell, alert["bell"])
    if row is None:
        return
    closings = [past for past in alert["history"] if past["what"] == "closed"]
    event = BellJudged(
        occurred_at=now,
        bell=row.id,
        alert=alert["id"],
        closing=len(closings),
        urn=row.urn,
        kind=row.kind,
        version=row.bell["rule"].get("version", ""),
        raised_on=date.fromisoformat(row.bell["raised_on"]),
        is_false=closings[-1]["outcome"] == FALSE,
    )
    await outbox.append(db, "notify", [event])
