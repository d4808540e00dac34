"""Parts of a request that several calls have, and the problem of a wrong one."""

from typing import Annotated, Any

from fastapi import Path
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.problems import Forbidden, InvalidRequest, NotFound
from services.notify import store
from services.notify.tables import Practitioner
from services.notify.vocabulary import ID

Id = Annotated[str, Path(pattern=ID)]


def wrong(at: list[Any], why: str) -> InvalidRequest:
    """Return the problem of one wrong part."""
    detail = "1 part(s) of the request are wrong; correct them and send it again."
    return InvalidRequest(detail, errors=[{"at": at, "why": why}])


async def must_be_theirs(db: AsyncConnection, caller: Caller, id: str) -> None:
    """Refuse what is neither the practitioner's own nor their agency's system's to do.

    Raises:
        NotFound: there is no such practitioner.
        Forbidden: it is another's.
    """
    held = await store.row_of(db, Practitioner, id)
    if held is None:
        raise NotFound("There is no such practitioner.")
    if not (caller.is_admin or caller.practitioner == id or _is_agencys(caller, held)):
        raise Forbidden("This is for the practitioner themselves, or for their agency.")


def _is_agencys(caller: Caller, practitioner: Any) -> bool:
    return caller.practitioner is None and caller.agency == practitioner.agency
