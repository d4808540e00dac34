"""Who may call what."""

from typing import Annotated

from fastapi import Path, Security

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
    }
)
DirectoryReader = Annotated[Caller, Security(bearer, scopes=["directory:read"])]
DirectoryWriter = Annotated[Caller, Security(bearer, scopes=["directory:write"])]
EndpointWriter = Annotated[Caller, Security(bearer, scopes=["endpoints:write"])]
AlertReader = Annotated[Caller, Security(bearer, scopes=["alerts:read"])]
AlertWriter = Annotated[Caller, Security(bearer, scopes=["alerts:write"])]
Decider = Annotated[Caller, Security(bearer, scopes=["sharing:decide"])]
LedgerReader = Annotated[Caller, Security(bearer, scopes=["disclosures:read"])]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
