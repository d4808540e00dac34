"""Who may call what."""

from typing import Annotated

from fastapi import Security
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Bearer, Caller
from libs.common.problems import Forbidden
from services.notify import store
from services.notify.tables import Agency

INVOLVERS = frozenset({"local_authority", "social_care"})
"""Kinds of agency whose systems may say who works with a child, and who may not know of it."""

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


async def must_involve(db: AsyncConnection, caller: Caller) -> None:
    """Refuse an agency's token unless it is an authority's or social care's.

    Raises:
        Forbidden: it is another's.
    """
    if caller.is_admin or caller.agency is None:
        return
    agency = await store.row_of(db, Agency, caller.agency)
    if agency is None or agency.kind not in INVOLVERS:
        raise Forbidden("Local authorities and social care say this of a child.")
