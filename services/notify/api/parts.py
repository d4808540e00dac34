"""Parts of a request that several calls have, and the problem of a wrong one."""

from typing import Annotated, Any

from fastapi import Path

from libs.common.problems import InvalidRequest
from services.notify.vocabulary import ID

Id = Annotated[str, Path(pattern=ID)]


def wrong(at: list[Any], why: str) -> InvalidRequest:
    """Return the problem of one wrong part."""
    detail = "1 part(s) of the request are wrong; correct them and send it again."
    return InvalidRequest(detail, errors=[{"at": at, "why": why}])
