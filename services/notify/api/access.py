"""Who may call what."""

from typing import Annotated

from fastapi import Security

from libs.common.auth import Bearer, Caller

bearer = Bearer(
    {
        "directory:read": "Read agencies, practitioners and involvements.",
        "directory:write": "Set agencies, practitioners and involvements.",
        "endpoints:write": "Manage the caller's own webhook endpoints.",
        "alerts:read": "Read the caller's own alerts.",
        "alerts:write": "Acknowledge, act on and close the caller's own alerts.",
        "sharing:decide": "Try out who would see what of a bell.",
        "disclosures:read": "Read and verify the ledger of disclosures.",
        "records:read": "Read all that is held and was shared about a child.",
    },
    across={
        "directory:read", "directory:write", "sharing:decide", "disclosures:read", "records:read",
    },
)  # fmt: skip
DirectoryReader = Annotated[Caller, Security(bearer, scopes=["directory:read"])]
DirectoryWriter = Annotated[Caller, Security(bearer, scopes=["directory:write"])]
EndpointWriter = Annotated[Caller, Security(bearer, scopes=["endpoints:write"])]
AlertReader = Annotated[Caller, Security(bearer, scopes=["alerts:read"])]
AlertWriter = Annotated[Caller, Security(bearer, scopes=["alerts:write"])]
Decider = Annotated[Caller, Security(bearer, scopes=["sharing:decide"])]
LedgerReader = Annotated[Caller, Security(bearer, scopes=["disclosures:read"])]
RecordReader = Annotated[Caller, Security(bearer, scopes=["records:read"])]
