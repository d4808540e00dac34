"""Queries about messages: numbered, due, in hand, attempted. Nothing here commits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.lanes import LANE_MAX
from services.notify.messages import DIGEST, thinned
from services.notify.tables import Delivery, Endpoint

ATTEMPTED = (
    "state",
    "next_attempt_at",
    "delivered_at",
    "last_outcome",
    "last_status",
    "last_took_ms",
    "last_attempt_at",
    "log",
)
"""What an attempt changes of a message."""


async def add_deliveries(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep messages to be delivered, each with its endpoint's next number.

    The numbers leave no gap: a transaction that is undone gives its own back, and nobody else takes
    any meanwhile. The number stands in the body, which is signed. An endpoint that wants them thin
    gets ids alone.
    """
    if not rows:
        return
    endpoints = sorted({row["endpoint"] for row in rows})
    numbers = (
        select(Endpoint.id, Endpoint.last_sequence, Endpoint.thin)
        .where(Endpoint.id.in_(endpoints))
        .order_by(Endpoint.id)
        .with_for_update()
    )
    found = list(await db.execute(numbers))
    last = {row.id: row.last_sequence for row in found}
    thin = {row.id for row in found if row.thin}
    numbered = []
    for row in rows:
        number = last[row["endpoint"]] = last[row["endpoint"]] + 1
        body = thinned(row["body"]) if row["endpoint"] in thin else row["body"]
        body = f'{{"sequence":{number},{body[1:]}'
        new = {"sequence": number, "pending_since": row["created_at"], "log": []}
        numbered.append({**row, **new, "body": body})
    await db.execute(insert(Delivery), numbered)
    await db.execute(_NUMBERED, [{"row_id": id, "last": last[id]} for id in endpoints])


async def due(
    db: AsyncConnection, now: datetime, closed: Collection[UUID], limit: int
) -> list[Row[Any]]:
    """Return messages that are due, locked, a few to each endpoint, and none to closed ones.

    A message waits for every earlier one to the same endpoint about the same child; a digest, which
    is about several, for all earlier ones, and all later ones for it.
    """
    if limit <= 0:
        return []
    # Exactly as a message's own columns: of two senders the later one must see what the first did.
    is_due = and_(
        Delivery.state == "pending",
        Delivery.next_attempt_at <= now,
        or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
    )
    place = func.row_number().over(
        partition_by=Delivery.endpoint, order_by=(Delivery.next_attempt_at, Delivery.number)
    )
    ranked = (
        select(Delivery.number, place.label("place"))
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(
            is_due,
            Endpoint.disabled_at.is_(None),
            Endpoint.paused_at.is_(None),
            Endpoint.id.not_in(closed),
            ~_waits_for_another(),
        )
        .subquery()
    )
    query = (
        _messages()
        .join(ranked, ranked.c.number == Delivery.number)
        .where(is_due, ranked.c.place <= LANE_MAX)
        .order_by(ranked.c.place, Delivery.next_attempt_at, Delivery.number)
        .limit(limit)
        .with_for_update(of=Delivery.__table__, skip_locked=True)
    )
    return list(await db.execute(query))


def _messages() -> Select[Any]:
    owners = (Endpoint.practitioner, Endpoint.agency)
    where = (Endpoint.channel, Endpoint.address.label("address"))
    secrets = (Endpoint.secret, Endpoint.old_secret, Endpoint.old_secret_until)
    query = select(Delivery.__table__, *owners, *where, *secrets)
    return query.join(Endpoint, Endpoint.id == Delivery.endpoint)


def _waits_for_another() -> ColumnElement[bool]:
    earlier = Delivery.__table__.alias("earlier")
    before = select(earlier.c.number).where(
        earlier.c.endpoint == Delivery.endpoint,
        # In so many words, as in the index of pending digests: no plan has to guess.
        earlier.c.state == literal_column("'pending'"),
        earlier.c.number < Delivery.number,
    )
    # Two questions and not one "is not distinct from": PostgreSQL uses no index for that.
    same = before.where(earlier.c.upn == Delivery.upn).exists()
    none = before.where(earlier.c.upn.is_(None)).exists()
    digest = before.where(earlier.c.type == literal_column(f"'{DIGEST}'")).exists()
    return or_(
        same,
        and_(Delivery.upn.is_(None), none),
        digest,
        and_(Delivery.type == DIGEST, before.exists()),
    )


async def lease(
    db: AsyncConnection, rows: Sequence[Row[Any]], until: datetime, by: str | None
) -> None:
    """Make messages nobody else's for a while; a killed sender's come back after it."""
    numbers = [row.number for row in rows]
    if numbers:
        held = {"leased_until": until, "leased_by": by}
        await db.execute(update(Delivery).where(Delivery.number.in_(numbers)).values(held))


async def give_back(db: AsyncConnection, by: str) -> None:
    """Let what a sender of this name had in hand when it was killed be anybody's at once."""
    theirs = Delivery.leased_by == by, Delivery.leased_until.is_not(None)
    waits = Delivery.state == "pending"
    await db.execute(update(Delivery).where(waits, *theirs).values(leased_until=None))


async def still_claimed(db: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return these messages as they stand now, without those that have ended meanwhile."""
    numbers = [row.number for row in rows]
    if not numbers:
        return []
    query = _messages().where(Delivery.number.in_(numbers), Delivery.state == "pending")
    return list(await db.execute(query.order_by(Delivery.number)))


async def note_attempts(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what attempts came to; `row_number` names the message."""
    if rows:
        await db.execute(_ATTEMPTED, list(rows))


async def hasten(db: AsyncConnection, endpoints: Collection[UUID], now: datetime) -> None:
    """Let what waits for endpoints that are well again be due at once."""
    if endpoints:
        later = (
            select(Delivery.number)
            .where(
                Delivery.endpoint.in_(endpoints),
                Delivery.state == "pending",
                Delivery.next_attempt_at > now,
            )
            .with_for_update(skip_locked=True)
        )
        await db.execute(
            update(Delivery).where(Delivery.number.in_(later)).values(next_attempt_at=now)
        )


_TABLE: Any = Delivery.__table__
_ATTEMPTED = (
    update(_TABLE)
    .where(
        _TABLE.c.number == bindparam("row_number"),
        # An attempt that was overtaken (its lease ran out) undoes no end; a delivery is one always.
        or_(_TABLE.c.state == "pending", bindparam("state") == "delivered"),
    )
    .values(
        attempts=_TABLE.c.attempts + 1,
        leased_until=None,
        **{name: bindparam(name, type_=_TABLE.c[name].type) for name in ATTEMPTED},
    )
)
_ENDPOINTS: Any = Endpoint.__table__
_NUMBERED = (
    update(_ENDPOINTS)
    .where(_ENDPOINTS.c.id == bindparam("row_id"))
    .values(last_sequence=bindparam("last"))
)
