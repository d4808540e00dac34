"""Queries about the directory: who there is, and who works with a child. Nothing here commits."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import String, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from services.notify.agreement import AddedAgency
from services.notify.routing import Person
from services.notify.tables import Agency, Practitioner

URNS_AT_ONCE = 200
"""Schools named in one statement: SQLite takes a thousand parts of a condition at most."""

_PEOPLE = select(
    Practitioner.id,
    Practitioner.name,
    Practitioner.roles,
    Practitioner.agency,
    Agency.kind,
    Agency.urns,
    Agency.la,
).join(Agency, Agency.id == Practitioner.agency)


class Near(NamedTuple):
    """Whom some bells could concern: people of these schools and authorities, and these people."""

    urns: Collection[str]
    las: Collection[str]
    ids: Collection[str]


async def people_near(db: AsyncConnection, near: Near) -> list[Person]:
    """Return the practitioners whom some bells could concern, with their agencies."""
    urns = sorted(near.urns)
    found: dict[str, Person] = {}
    for start in range(0, max(len(urns), 1), URNS_AT_ONCE):
        # A list of URNs is JSON: a number of six digits is found in its text.
        part = urns[start : start + URNS_AT_ONCE]
        serve = [cast(Agency.urns, String).like(f'%"{urn}"%') for urn in part]
        query = _PEOPLE.where(or_(Practitioner.id.in_(near.ids), Agency.la.in_(near.las), *serve))
        for r in await db.execute(query):
            urns_of = frozenset(r.urns)
            found[r.id] = Person(r.id, frozenset(r.roles), r.agency, r.kind, urns_of, r.la, r.name)
    return list(found.values())


async def known_ids(db: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return those of these ids that are practitioners'."""
    found: set[str] = set()
    wanted = sorted(ids)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        rows = await db.execute(select(Practitioner.id).where(Practitioner.id.in_(part)))
        found.update(rows.scalars())
    return found


async def save_agencies(db: AsyncConnection, agencies: Iterable[AddedAgency]) -> None:
    """Keep the agencies that a local agreement adds."""
    rows = [agency.model_dump(mode="json") for agency in agencies]
    await upsert(db, Agency, rows)
