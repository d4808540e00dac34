"""A message that is tried again is decided again first: time has passed since it was made."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.messages import parts_of, with_parts
from services.notify.reading import as_seen_now
from services.notify.sharing_rules import SharingRules
from services.notify.shown import bare
from services.notify.tables import Alert, Delivery

STALE_AFTER = timedelta(minutes=1)
"""A first attempt that comes later than this is decided again too."""
ENDED = frozenset({"alert.cleared", "alert.withdrawn"})
NOT_ANY_MORE = "its recipient may not be told any more"


async def decide_again(
    db: AsyncConnection, rules: SharingRules, now: datetime, rows: Sequence[Row[Any]]
) -> None:
    """Cut claimed messages that have waited or failed to what may be told now, or end them."""
    stale = [row for row in rows if row.attempts or row.created_at < now - STALE_AFTER]
    for number, values in (await changes(db, rules, now, stale)).items():
        if values:
            await db.execute(update(Delivery).where(Delivery.number == number).values(values))


async def changes(
    db: AsyncConnection, rules: SharingRules, now: datetime, rows: Sequence[Row[Any]]
) -> dict[int, dict[str, Any]]:
    """Return, by number, what of these messages about alerts is to be changed now."""
    messages = {row.number: json.loads(row.body) for row in rows if row.type.startswith("alert.")}
    parts = [part for message in messages.values() for part in parts_of(message)]
    alerts = {UUID(part["alert"]) for part in parts}
    if not alerts:
        return {}
    found = await db.execute(select(Alert.__table__).where(Alert.id.in_(alerts)))
    seen = await as_seen_now(db, [dict(row._mapping) for row in found], rules, now)
    shown = {str(one.row["id"]): one.row["shown"] for one in seen}
    return {number: _values(message, shown) for number, message in messages.items()}


def _values(message: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    parts = parts_of(message)
    told = [_as_told_now(message["type"], part, shown.get(part["alert"])) for part in parts]
    left = [part for part in told if part is not None]
    if not left:
        return {"state": "dead", "last_outcome": NOT_ANY_MORE}
    if left == parts:
        return {}
    return {"body": msgspec.json.encode(with_parts(message, left)).decode()}


def _as_told_now(
    type_: str, held: dict[str, Any], now: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if "withheld" not in held:  # ids alone, in a thin message
        return held if now is not None or type_ in ENDED else None
    if now is not None:
        return held if now["withheld"] == held["withheld"] else now
    if type_ not in ENDED:
        return None
    return {"alert": held["alert"], "bell": held["bell"], **bare(held)}
