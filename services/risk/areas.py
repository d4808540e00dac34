"""Areas: which schools a trust and an authority have, and which pupils count for it.

Official statistics go by the school's authority. Where it is known it decides; a school of which it
is not known counts for each authority with the pupils who live there.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from services.risk.attendance_store import Wanted, home_la
from services.risk.tables import StoredPupil, StoredSchool

SchoolPhase = Literal["primary", "secondary", "special", "other"]
TRUST = r"^[0-9A-Za-z-]{1,20}$"


class Trust(BaseModel):
    """An academy trust."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=TRUST, description="Its UID or group id.", examples=["TR00001"])
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")


class School(BaseModel):
    """What a school is counted under."""

    model_config = ConfigDict(extra="forbid")

    la: str = Field(pattern=r"^[0-9]{3}$", description="The school's own authority.")
    phase: SchoolPhase = Field(description="As the statistics have it; other: held beside totals.")
    trust: Trust | None = None


class Area(NamedTuple):
    """Whose marks make up an area's figures."""

    by_school: list[str]
    """URNs of schools that count with all their pupils."""
    by_residence: list[str]
    """URNs of schools that count with the pupils who live there."""

    def wanted(self, wanted: Wanted, la: str) -> list[tuple[str, Wanted]]:
        """Return what is to be read of each school."""
        living = wanted._replace(home_la=la)
        return [(urn, wanted) for urn in self.by_school] + [
            (urn, living) for urn in self.by_residence
        ]


async def save_school(db: AsyncConnection, urn: str, school: School) -> None:
    """Keep what a school is counted under."""
    trust = school.trust
    row = {
        "urn": urn,
        "la": school.la,
        "phase": school.phase,
        "trust": trust.id if trust else None,
        "trust_name": trust.name if trust else None,
    }
    await upsert(db, StoredSchool, [row])


async def school_of(db: AsyncConnection, urn: str) -> School | None:
    """Return what a school is counted under, or None where nobody has said."""
    query = select(StoredSchool.__table__).where(StoredSchool.urn == urn)
    row = (await db.execute(query)).first()
    if row is None:
        return None
    trust = Trust(id=row.trust, name=row.trust_name) if row.trust else None
    return School(la=row.la, phase=row.phase, trust=trust)


async def schools_of_trust(db: AsyncConnection, trust: str) -> Sequence[Row[str, str]]:
    """Return a trust's schools, `urn` and `la`, in order of URN."""
    query = select(StoredSchool.urn, StoredSchool.la).where(StoredSchool.trust == trust)
    return (await db.execute(query.order_by(StoredSchool.urn))).all()


async def schools_of_authorities(db: AsyncConnection, las: Iterable[str]) -> Sequence[str]:
    """Return the URNs of the schools of these authorities, by code."""
    return (await db.scalars(select(StoredSchool.urn).where(StoredSchool.la.in_(las)))).all()


async def area_of(db: AsyncConnection, la: str) -> Area:
    """Return which schools count for an authority, and how."""
    own = select(StoredSchool.urn).where(StoredSchool.la == la).order_by(StoredSchool.urn)
    living = (
        select(StoredPupil.urn)
        .distinct()
        .where(home_la() == la, StoredPupil.urn.not_in(select(StoredSchool.urn)))
        .order_by(StoredPupil.urn)
    )
    return Area(list(await db.scalars(own)), list(await db.scalars(living)))
