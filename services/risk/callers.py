"""Who calls risk, and which schools' bells and attendance they may read."""

from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import SecurityScopes

from libs.common import tenants
from libs.common.auth import Bearer, Caller
from services.risk import areas

AREA = "area"


@dataclass(frozen=True)
class Reader(Caller):
    """A caller, with the schools of the authorities that their token is for.

    Args:
        area: URNs of schools that they may read and do not speak for.
    """

    area: frozenset[str] = frozenset()

    def may_read(self, urn: str) -> bool:
        """Whether this school's bells and attendance are the caller's to read."""
        return self.speaks_for(urn) or urn in self.area

    def must_read(self, urn: str) -> None:
        """Refuse a caller who may not read this school.

        Raises:
            Forbidden: neither the token's schools nor its authorities' have it.
        """
        if urn not in self.area:
            self.must_speak_for(urn)

    def has_area(self, la: str) -> bool:
        """Whether the token is for this authority."""
        return self.is_admin or (AREA in self.scopes and la in self.las)


class _AreaBearer(Bearer):
    async def __call__(self, request: Request, needed: SecurityScopes) -> Reader:  # type: ignore[override]
        caller = await super().__call__(request, needed)
        own = {one.name: getattr(caller, one.name) for one in fields(caller)}
        if AREA not in caller.scopes or not caller.las or caller.is_admin:
            return Reader(**own)
        async with request.app.state.database.reading() as db:
            schools = frozenset(await areas.schools_of_authorities(db, caller.las))
        tenants.act_for_schools(schools)
        return Reader(**own, area=schools)


bearer = _AreaBearer(
    {
        "bells:read": "Read bells: of the token's schools, and of its area's.",
        "attendance:read": "Read attendance: of the token's schools, and of its area's.",
        "rules:read": "Read the rule catalogue.",
        AREA: "Read the schools of the authorities that the token's claim `las` names, by code: "
        "for a local authority's systems.",
        "schools:write": "Say what any school is counted under: for the operator.",
    },
    across={"schools:write"},
)
BellReader = Annotated[Reader, Security(bearer, scopes=["bells:read"])]
RuleReader = Annotated[Reader, Security(bearer, scopes=["rules:read"])]
AttendanceReader = Annotated[Reader, Security(bearer, scopes=["attendance:read"])]
PictureReader = Annotated[Reader, Security(bearer, scopes=["attendance:read", "bells:read"])]
SchoolWriter = Annotated[Caller, Security(bearer, scopes=["schools:write"])]
