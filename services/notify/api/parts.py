"""Parts of a request that several calls have, and the problem of a wrong one."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from libs.common.problems import InvalidRequest

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Id = Annotated[str, Path(pattern=_ID)]
Name = Annotated[str, Field(pattern=_ID)]
"""The id of a practitioner or an agency within a body."""


def wrong(at: list[Any], why: str) -> InvalidRequest:
    """Return the problem of one wrong part."""
    detail = "1 part(s) of the request are wrong; correct them and send it again."
    return InvalidRequest(detail, errors=[{"at": at, "why": why}])
