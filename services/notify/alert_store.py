"""Queries about children, bells, alerts, approvals and reads. Nothing here commits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CompoundSelect, delete, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import add_new, among, in_parts, upsert
from services.notify.tables import (
    Alert,
    AlertRead,
    Approval,
    Child,
    Involvements,
    Restrictions,
    StoredBell,
)


class Children(NamedTuple):
    """What is held of some children."""

    involvements: dict[str, list[dict[str, Any]]]
    """By UPN, of those with whom anybody works."""
    restrictions: dict[str, list[dict[str, Any]]]
    """By UPN, of those whose record has any."""
    pupils: dict[tuple[str | None, str], dict[str, Any]]
    """What rolls say of them, by UPN and URN."""


def _about_children() -> CompoundSelect[Any]:
    tables = (
        ("involvements", Involvements, literal(""), Involvements.involvements),
        ("restrictions", Restrictions, literal(""), Restrictions.restrictions),
        ("pupils", Child, Child.urn, Child.pupil),
    )
    parts = [
        select(literal(what).label("what"), table.upn, urn.label("urn"), held.label("held")).where(
            table.upn.in_(among("upns"))
        )
        for what, table, urn, held in tables
    ]
    return union_all(*parts)


_ABOUT_CHILDREN = _about_children()
_BELLS = among("bells")
_ALERTS = select(Alert.__table__).where(Alert.bell.in_(_BELLS)).order_by(Alert.id).with_for_update()
_APPROVALS = (
    select(Approval.__table__)
    .where(Approval.bell.in_(_BELLS))
    .order_by(Approval.requested_at, Approval.id)
)
_APPROVALS_LOCKED = _APPROVALS.with_for_update()


async def children_of(db: AsyncConnection, upns: Collection[str | None]) -> Children:
    """Read all that bears on who may know what of these children, in one statement."""
    found = Children({}, {}, {})
    for row in await db.execute(_ABOUT_CHILDREN, {"upns": list(upns)}):
        if row.what == "pupils":
            found.pupils[row.upn, row.urn] = row.held
        else:
            getattr(found, row.what)[row.upn] = row.held
    return found


async def save_children(
    db: AsyncConnection, urn: str, pupils: Sequence[dict[str, Any]], removed: Sequence[str]
) -> None:
    """Keep a roll's changes."""
    await upsert(db, Child, [{"upn": p["upn"], "urn": urn, "pupil": p} for p in pupils])
    for part in in_parts(removed):
        await db.execute(delete(Child).where(Child.urn == urn, Child.upn.in_(part)))


async def save_bells(db: AsyncConnection, bells: Iterable[dict[str, Any]]) -> None:
    """Keep bells as they were told."""
    names = ("upn", "urn", "kind", "status")
    rows = [
        {"id": UUID(bell["id"]), **{name: bell[name] for name in names}, "bell": bell}
        for bell in bells
    ]
    await upsert(db, StoredBell, rows)


async def bells_by_id(db: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return bells as risk last told them."""
    rows = await db.execute(select(StoredBell.id, StoredBell.bell).where(StoredBell.id.in_(ids)))
    return {row.id: row.bell for row in rows}


async def alerts_by_bell(
    db: AsyncConnection, bells: Collection[UUID]
) -> dict[UUID, dict[str, dict[str, Any]]]:
    """Return these bells' alerts, by bell and recipient, locked: nobody acts on them meanwhile."""
    found: dict[UUID, dict[str, dict[str, Any]]] = {bell: {} for bell in bells}
    for row in await db.execute(_ALERTS, {"bells": list(bells)}):
        found[row.bell][row.recipient] = dict(row._mapping)
    return found


async def save_alerts(db: AsyncConnection, alerts: Sequence[dict[str, Any]]) -> None:
    """Keep alerts as they stand."""
    await upsert(db, Alert, alerts)


async def approvals_by_bell(
    db: AsyncConnection, bells: Collection[UUID], *, lock: bool
) -> dict[UUID, list[dict[str, Any]]]:
    """Return these bells' approvals, oldest first; locked, nobody else changes them meanwhile."""
    found: dict[UUID, list[dict[str, Any]]] = {bell: [] for bell in bells}
    query = _APPROVALS_LOCKED if lock else _APPROVALS
    for row in await db.execute(query, {"bells": list(bells)}):
        found[row.bell].append(dict(row._mapping))
    return found


async def save_approvals(db: AsyncConnection, approvals: Sequence[dict[str, Any]]) -> None:
    """Keep approvals as they stand."""
    await upsert(db, Approval, approvals)


async def bells_overdue(db: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
    """Return bells with an approval that has expired, the longest expired first."""
    query = (
        select(Approval.bell)
        .where(Approval.state == "awaiting", Approval.expires_at <= now)
        .order_by(Approval.expires_at)
        .limit(limit)
    )
    return list(dict.fromkeys((await db.execute(query)).scalars()))


async def reads_told(
    db: AsyncConnection, reader: str, day: date, alerts: Collection[UUID]
) -> set[tuple[UUID, str]]:
    """Return what this reader has been recorded to have seen on this day: alert and digest."""
    table = AlertRead
    query = select(table.alert, table.seen).where(
        table.reader == reader, table.day == day, table.alert.in_(alerts)
    )
    return {(row.alert, row.seen) for row in await db.execute(query)}


async def note_reads(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[tuple[UUID, str]]:
    """Keep that alerts were read; return those, by alert and digest, of which it was not known."""
    return {(row.alert, row.seen) for row in await add_new(db, AlertRead, rows)}
