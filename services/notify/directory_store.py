"""Queries about the directory: who there is, and who works with a child. Nothing here commits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, delete, func, insert, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import among, in_parts, upsert
from services.notify.routing import Person
from services.notify.tables import Agency, AgencySchool, Practitioner


def _people() -> CompoundSelect[Any]:
    urns = among("urns")
    serving = select(AgencySchool.agency).where(AgencySchool.urn.in_(urns))
    authorities = select(Agency.id).where(
        Agency.kind == "local_authority", Agency.la.in_(among("las"))
    )
    served = select(func.aggregate_strings(AgencySchool.urn, " ")).where(
        AgencySchool.agency == Agency.id, AgencySchool.urn.in_(urns)
    )
    person = (Practitioner.id, Practitioner.name, Practitioner.roles, Practitioner.agency)
    people = select(*person, Agency.kind, Agency.la, served.scalar_subquery().label("urns")).join(
        Agency, Agency.id == Practitioner.agency
    )
    # Two queries and no OR: each finds its rows by an index, however many agencies there are.
    return union_all(
        people.where(Practitioner.agency.in_(serving.union(authorities))),
        people.where(Practitioner.id.in_(among("ids"))),
    )


_PEOPLE = _people()


class Near(NamedTuple):
    """Whom some bells could concern: people of these schools and authorities, and these people."""

    urns: Collection[str]
    las: Collection[str]
    ids: Collection[str]


async def people_near(db: AsyncConnection, near: Near) -> dict[str, Person]:
    """Return by their ids the practitioners whom some bells could concern, with their agencies.

    Of the schools that an agency serves, those alone are given that were asked about.
    """
    asked = {name: list(values) for name, values in near._asdict().items()}
    return {
        r.id: Person(
            r.id, frozenset(r.roles), r.agency, r.kind, frozenset((r.urns or "").split()), r.la,
            r.name,
        )
        for r in await db.execute(_PEOPLE, asked)
    }  # fmt: skip


async def known_ids(db: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return those of these ids that are practitioners'."""
    found: set[str] = set()
    for part in in_parts(sorted(ids)):
        rows = await db.execute(select(Practitioner.id).where(Practitioner.id.in_(part)))
        found.update(rows.scalars())
    return found


async def save_agencies(db: AsyncConnection, agencies: Sequence[Mapping[str, Any]]) -> None:
    """Keep agencies, and which schools they serve."""
    await upsert(db, Agency, agencies)
    # Their rows are locked now: nobody else changes their schools meanwhile.
    for agency in agencies:
        await db.execute(delete(AgencySchool).where(AgencySchool.agency == agency["id"]))
    serves = [
        {"urn": urn, "agency": agency["id"]}
        for agency in agencies
        for urn in sorted(set(agency["urns"]))
    ]
    if serves:
        await db.execute(insert(AgencySchool), serves)
