"""Queries about endpoints and deliveries, and rows by their keys. Nothing here commits."""

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

from libs.common.database import among
from services.notify.lanes import LANE_MAX
from services.notify.messages import DIGEST, thinned
from services.notify.tables import Delivery, Endpoint, Involvements, Practitioner

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

_OPEN = (
    Endpoint.disabled_at.is_(None),
    or_(Endpoint.must_verify.is_(False), Endpoint.verified_at.is_not(None)),
)
_OPEN_ENDPOINTS = (
    select(Endpoint.id, Endpoint.practitioner, Endpoint.agency)
    .where(
        or_(
            Endpoint.practitioner.in_(among("practitioners")),
            Endpoint.agency.in_(among("agencies")),
        ),
        *_OPEN,
    )
    .order_by(Endpoint.id)
)


async def row_of(db: AsyncConnection, table: Any, key: Any) -> Row[Any] | None:
    """Return a table's row by its primary key, or None."""
    (column,) = table.__table__.primary_key.columns
    return (
        await db.execute(
            select(*(column.label(column.key) for column in table.__table__.c)).where(column == key)
        )
    ).first()


async def involvements_of(db: AsyncConnection, upn: str | None) -> tuple[int, list[dict[str, Any]]]:
    """Return the revision of a child's involvements, and these as they were set."""
    row = await row_of(db, Involvements, upn)
    return (row.revision, row.involvements) if row else (0, [])


async def open_endpoints(
    db: AsyncConnection, practitioners: Collection[str], agencies: Collection[str]
) -> dict[str, list[UUID]]:
    """Return the endpoints at which these practitioners and agencies are reached, by their ids.

    Those that must be verified first are not among them before that.
    """
    found: dict[str, list[UUID]] = {}
    owners = {"practitioners": list(practitioners), "agencies": list(agencies)}
    for row in await db.execute(_OPEN_ENDPOINTS, owners):
        owner = f"practitioner {row.practitioner}" if row.practitioner else f"agency {row.agency}"
        found.setdefault(owner, []).append(row.id)
    return found


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


async def lock_endpoints(db: AsyncConnection, endpoints: Collection[UUID]) -> None:
    """Let nobody else change these endpoints until the transaction ends."""
    if endpoints:
        rows = select(Endpoint.id).where(Endpoint.id.in_(endpoints)).order_by(Endpoint.id)
        await db.execute(rows.with_for_update())


async def disable(db: AsyncConnection, endpoint: UUID, at: datetime) -> list[Row[Any]]:
    """Send nothing more to an endpoint; return what waited for it, which is dead now."""
    await db.execute(update(Endpoint).where(Endpoint.id == endpoint).values(disabled_at=at))
    waiting = (
        update(Delivery)
        .where(Delivery.endpoint == endpoint, Delivery.state == "pending")
        .values(state="dead", last_outcome="the endpoint is gone")
        .returning(Delivery.__table__)
    )
    return list(await db.execute(waiting))


async def endpoints_beside(
    db: AsyncConnection, endpoints: Collection[UUID]
) -> dict[UUID, list[UUID]]:
    """Return, by endpoint, the open ones of the same practitioner and of the same agency."""
    found = await db.execute(
        select(
            Endpoint.id,
            Endpoint.practitioner,
            func.coalesce(Endpoint.agency, Practitioner.agency).label("agency"),
            Endpoint.agency.is_not(None).label("whole"),
            and_(*_OPEN).label("is_open"),
        )
        .outerjoin(Practitioner, Practitioner.id == Endpoint.practitioner)
        .order_by(Endpoint.id)
    )
    rows: Any = found.all()
    return {
        one.id: [
            other.id
            for other in rows
            if other.id != one.id and other.is_open and _is_beside(one, other)
        ]
        for one in rows
        if one.id in endpoints
    }


def _is_beside(one: Row[Any], other: Row[Any]) -> bool:
    if one.practitioner is not None and other.practitioner == one.practitioner:
        return True
    return bool(other.whole and other.agency == one.agency)


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
