"""What `bench.deliver` holds against what came: nothing lost, nothing twice, in order, recorded."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select

from bench.receivers import Arrival, Kind
from libs.common.database import Database
from libs.common.settings import ServiceSettings
from services.notify.checkpoints import Seal
from services.notify.proof import prove
from services.notify.tables import Alert, Delivery, DisclosureContent


def waits_s(came: Iterable[Arrival], began: float, kinds: Sequence[Kind]) -> list[float]:
    """Return how long each message to a well receiver took to come the first time, in order."""
    first = dict[str, float]()
    for one in came:
        if kinds[one.receiver] is Kind.WELL:
            first.setdefault(one.webhook_id, one.at - began)
    return sorted(first.values())


async def check(
    database: Database, settings: ServiceSettings, came: Sequence[Arrival], kinds: Sequence[Kind]
) -> Counter[str]:
    """Return how many messages ended how; stop if anything is amiss."""
    async with database.reading() as db:
        rows = list(await db.execute(select(Delivery.__table__).order_by(Delivery.number)))
        alerts = await db.scalar(select(func.count()).select_from(Alert))
        delivered = DisclosureContent.record["decision"].as_string() == "delivered"
        recorded = await db.scalar(
            select(func.count()).select_from(DisclosureContent).where(delivered)
        )
    ends = Counter(row.state for row in rows)
    faults = [*_faults(rows, came), *_not_delivered(rows, came, kinds)]
    told = {json.loads(row.body)["data"]["alert"] for row in rows}
    if not len(rows) == len(told) == alerts:
        faults.append(f"{len(rows)} messages of {len(told)} alerts; there are {alerts}")
    if recorded != ends["delivered"]:
        faults.append(f"{recorded} deliveries in the ledger, {ends['delivered']} there were")
    if (bad := (await prove(database, Seal(settings))).bad) is not None:
        faults.append(f"the ledger: {bad.why}")
    if faults:
        raise SystemExit("\n".join(faults[:20]))
    return ends


def _faults(rows: Sequence[Any], came: Sequence[Arrival]) -> Iterable[str]:
    by_id = {str(row.id): row for row in rows}
    taken = [one for one in came if 200 <= one.status < 300]
    yield from (f"{one.webhook_id}: not ours" for one in came if one.webhook_id not in by_id)
    missing = {str(row.id) for row in rows if row.state == "delivered"}
    missing -= {one.webhook_id for one in taken}
    yield from (f"{id}: delivered, and it never came" for id in missing)
    for row in rows:
        if row.state not in {"delivered", "dead"} or not row.last_outcome:
            yield f"{row.id}: neither delivered nor dead with a reason"
    ids = defaultdict[tuple[int, int], set[str]](set)
    for one in came:
        ids[one.receiver, one.sequence].add(one.webhook_id)
    yield from (f"{place}: came with ids {found}" for place, found in ids.items() if len(found) > 1)
    yield from _out_of_order(by_id, taken)


def _not_delivered(
    rows: Sequence[Any], came: Sequence[Arrival], kinds: Sequence[Kind]
) -> Iterable[str]:
    """Yield messages to receivers which take everything that were not delivered to them."""
    takes = {Kind.WELL, Kind.SLOW}
    by_id = {str(row.id): row for row in rows}
    kind_of = {by_id[one.webhook_id].endpoint: kinds[one.receiver] for one in came}
    for row in rows:
        if row.state != "delivered" and kind_of.get(row.endpoint) in takes:
            yield f"{row.id}: {row.state} ({row.last_outcome}), and its receiver takes all"


def _out_of_order(by_id: dict[str, Any], taken: Sequence[Arrival]) -> Iterable[str]:
    last, seen = dict[tuple[Any, Any], int](), set[str]()
    for one in taken:
        row = by_id[one.webhook_id]
        if one.webhook_id not in seen and last.get((row.endpoint, row.upn), 0) > row.sequence:
            yield f"{row.id}: came after a later one about the same child"
        seen.add(one.webhook_id)
        last[row.endpoint, row.upn] = max(row.sequence, last.get((row.endpoint, row.upn), 0))
