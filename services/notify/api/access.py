"""Who may call what."""

from typing import Annotated

from fastapi import Security
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Bearer, Caller
from libs.common.problems import Forbidden
from services.notify import store
from services.notify.belonging import Area, children_of_others
from services.notify.tables import Agency

INVOLVERS = frozenset({"local_authority", "social_care"})
"""Kinds of agency whose systems may say who works with a child, and who may not know of it."""
NO_INVOLVER = "Local authorities and social care say this of a child."
ANOTHERS = (
    "The child lives in another authority's area, and attends no school of this one's:"
    " ask that authority, or the operator."
)

bearer = Bearer(
    {
        "directory:read": "Read agencies, practitioners, involvements and restrictions.",
        "directory:write": "Set agencies, practitioners, involvements and restrictions.",
        "endpoints:write": "Manage the caller's own webhook endpoints.",
        "alerts:read": "Read the caller's own alerts.",
        "alerts:write": "Acknowledge, act on, approve and close the caller's own alerts.",
        "sharing:decide": "Try out who would see what of a bell.",
        "disclosures:read": "Read and verify the ledger of disclosures.",
        "records:read": "Read all that is held and was shared about a child.",
        "impact:read": "Read figures of what was done about alerts: of the token's schools, its "
        "agency, and its area's.",
    },
    across={
        "directory:read", "directory:write", "sharing:decide", "disclosures:read", "records:read",
        "impact:read",
    },
)  # fmt: skip
DirectoryReader = Annotated[Caller, Security(bearer, scopes=["directory:read"])]
DirectoryWriter = Annotated[Caller, Security(bearer, scopes=["directory:write"])]
EndpointWriter = Annotated[Caller, Security(bearer, scopes=["endpoints:write"])]
AlertReader = Annotated[Caller, Security(bearer, scopes=["alerts:read"])]
AlertWriter = Annotated[Caller, Security(bearer, scopes=["alerts:write"])]
Decider = Annotated[Caller, Security(bearer, scopes=["sharing:decide"])]
LedgerReader = Annotated[Caller, Security(bearer, scopes=["disclosures:read"])]
ImpactReader = Annotated[Caller, Security(bearer, scopes=["impact:read"])]
RecordReader = Annotated[Caller, Security(bearer, scopes=["records:read"])]


def must_be_an_integration(caller: Caller) -> None:
    """Refuse the token of a school, a practitioner or an area: the directory is others' to set.

    Raises:
        Forbidden: the token bears `urns`, `practitioner` or `las`, and no `agency`.
    """
    bound = caller.urns or caller.practitioner is not None or caller.las
    if bound and caller.agency is None and not caller.is_admin:
        raise Forbidden("Agencies' systems and the operator set the directory.")


async def area_of(db: AsyncConnection, caller: Caller) -> Area | None:
    """Return of which area's children the caller may say who works with them; None: of any.

    An agency's own `la`, the token's `las`, and the schools that the agency serves. Held to no area
    are the operator, a token that is nobody's, and an agency of which the operator has set neither.

    Raises:
        Forbidden: it is no authority's token, and not social care's.
    """
    if caller.is_admin:
        return None
    if caller.agency is None:
        if caller.urns or caller.practitioner is not None:
            raise Forbidden(NO_INVOLVER)
        return Area(None, caller.las) if caller.las else None
    agency = await store.row_of(db, Agency, caller.agency)
    if agency is None or agency.kind not in INVOLVERS:
        raise Forbidden(NO_INVOLVER)
    las = caller.las.union([agency.la] if agency.la else [])
    return Area(agency.id, las) if las or agency.urns else None


async def must_involve(db: AsyncConnection, caller: Caller, upn: str) -> None:
    """Refuse who may not say who works with this child.

    Raises:
        Forbidden: no authority's or social care's token; or the child is another authority's.
    """
    area = await area_of(db, caller)
    if area is not None and await children_of_others(db, area, [upn]):
        raise Forbidden(ANOTHERS)
