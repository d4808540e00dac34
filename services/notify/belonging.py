"""Whose child it is: that authority's where it lives, and that one's whose school it attends."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import among, in_parts
from services.notify.tables import Agency, AgencySchool, Child

_ROLLS = select(Child.upn, Child.urn, Child.pupil).where(Child.upn.in_(among("upns")))
_AUTHORITIES = (
    select(AgencySchool.urn, Agency.id, Agency.la)
    .join(Agency, Agency.id == AgencySchool.agency)
    .where(
        AgencySchool.urn.in_(among("urns")),
        or_(Agency.kind == "local_authority", Agency.id.in_(among("agencies"))),
    )
)


class Area(NamedTuple):
    """Where an agency works: its authorities by code, and the schools that it serves itself."""

    agency: str | None
    las: frozenset[str]


async def children_of_others(db: AsyncConnection, area: Area, upns: Collection[str]) -> set[str]:
    """Return those of these children that are known to be other authorities', and not this area's.

    A child of whom no roll says where it lives, and at whose school no authority is, is nobody
    else's: involvements may come before the first roll does.
    """
    found: set[str] = set()
    for part in in_parts(sorted(upns)):
        rolls = (await db.execute(_ROLLS, {"upns": part})).all()
        serving = await _serving(db, area, {row.urn for row in rolls})
        places: dict[str, set[bool]] = {}
        for row in rolls:
            home = row.pupil.get("home_la")
            theirs = set(serving.get(row.urn, ())) | ({home in area.las} if home else set())
            places.setdefault(row.upn, set()).update(theirs)
        found |= {upn for upn, theirs in places.items() if theirs == {False}}
    return found


async def _serving(db: AsyncConnection, area: Area, urns: Collection[str]) -> dict[str, list[bool]]:
    """Return for each school of each authority that serves it whether it is of the area."""
    found: dict[str, list[bool]] = {}
    asked: dict[str, Any] = {"urns": list(urns), "agencies": [area.agency] if area.agency else []}
    for row in await db.execute(_AUTHORITIES, asked):
        found.setdefault(row.urn, []).append(row.id == area.agency or row.la in area.las)
    return found
