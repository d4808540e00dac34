"""Queries about the directory: who there is, and who works with a child. Nothing here commits."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Executable, String, bindparam, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from services.notify.agreement import AddedAgency
from services.notify.routing import Person
from services.notify.tables import Agency, Practitioner

URNS_AT_ONCE = 200
"""Schools named in one statement: SQLite takes a thousand parts of a condition at most."""


@cache
def _people(urns: int) -> Executable:
    """Return the query for people near so many schools, made once for each number of them."""
    # A list of URNs is JSON: a number of six digits is found in its text, without reading the list.
    urns_text = cast(Agency.urns, String)
    serve = [urns_text.like(bindparam(f"urn_{n}", type_=String)) for n in range(urns)]
    ids: BindParameter[Any] = bindparam("ids", expanding=True)
    las: BindParameter[Any] = bindparam("las", expanding=True)
    return (
        select(
            Practitioner.id,
            Practitioner.name,
            Practitioner.roles,
            Practitioner.agency,
            Agency.kind,
            urns_text.label("urns"),
            Agency.la,
        )
        .join(Agency, Agency.id == Practitioner.agency)
        .where(or_(Practitioner.id.in_(ids), Agency.la.in_(las), *serve))
    )


class Near(NamedTuple):
    """Whom some bells could concern: people of these schools and authorities, and these people."""

    urns: Collection[str]
    las: Collection[str]
    ids: Collection[str]


async def people_near(db: AsyncConnection, near: Near) -> list[Person]:
    """Return the practitioners whom some bells could concern, with their agencies.

    Of the schools that an agency serves, those alone are given that were asked about.
    """
    urns = sorted(near.urns)
    found: dict[str, Person] = {}
    for start in range(0, max(len(urns), 1), URNS_AT_ONCE):
        part = urns[start : start + URNS_AT_ONCE]
        values = {f"urn_{n}": f'%"{urn}"%' for n, urn in enumerate(part)}
        asked = {"ids": list(near.ids), "las": list(near.las), **values}
        for r in await db.execute(_people(len(part)), asked):
            serves = frozenset(urn for urn in urns if f'"{urn}"' in r.urns)
            found[r.id] = Person(r.id, frozenset(r.roles), r.agency, r.kind, serves, r.la, r.name)
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
