"""The ledger's records that a message has come to its receiver, one for each of its alerts."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import id_of
from services.notify.messages import DIGEST, parts_of
from services.notify.tables import StoredBell
from services.notify.vocabulary import FIELDS


async def records_of(
    db: AsyncConnection, delivered: Sequence[tuple[Row[Any], datetime]]
) -> list[dict[str, Any]]:
    """Return the records of messages, each with its endpoint's owner, and when they were taken."""
    told = [(row, at, parts_of(json.loads(row.body))) for row, at in delivered]
    # A digest is about several children, and each one's record is to be found under their own UPN.
    bells = [UUID(part["bell"]) for row, _, parts in told if row.type == DIGEST for part in parts]
    query = select(StoredBell.id, StoredBell.upn).where(StoredBell.id.in_(bells))
    upns = {str(bell): upn for bell, upn in await db.execute(query)} if bells else {}
    return [
        _record(part, row, upns.get(part["bell"], row.upn), at)
        for row, at, parts in told
        for part in parts
    ]


def _record(part: dict[str, Any], row: Row[Any], upn: str | None, now: datetime) -> dict[str, Any]:
    # A thin message bears ids alone.
    withheld = part.get("withheld", list(FIELDS))
    return {
        "id": str(id_of("delivered", row.id, row.attempts + 1, part["bell"])),
        "bell": part["bell"],
        "upn": upn,
        "recipient": row.practitioner or row.agency,
        "decision": "delivered",
        "fields": [field for field in FIELDS if field not in withheld],
        "withheld": withheld,
        "basis": part.get("basis", []),
        "policies": [],
        "decided_at": now.isoformat(),
        "delivery": str(row.id),
        "endpoint": str(row.endpoint),
    }
