"""Whose an endpoint is: its owner alone sees and manages it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_

from libs.common.auth import Caller
from libs.common.problems import Conflict, Forbidden, NotFound
from services.notify import store
from services.notify.api.parts import wrong
from services.notify.tables import Endpoint


def _owns(caller: Caller, practitioner: str | None, agency: str | None) -> bool:
    if caller.is_admin:
        return True
    return (practitioner is not None and caller.practitioner == practitioner) or (
        agency is not None and caller.agency == agency
    )


def is_own(caller: Caller) -> ColumnElement[bool]:
    """Return the condition on endpoints that they are the caller's own."""
    owners = ((Endpoint.practitioner, caller.practitioner), (Endpoint.agency, caller.agency))
    # Compared with None, a column would mean: everybody else's.
    return or_(false(), *(column == owner for column, owner in owners if owner is not None))


def must_own(caller: Caller, practitioner: str | None, agency: str | None) -> None:
    """Refuse an owner that is none, or not the caller.

    Raises:
        InvalidRequest: not one of the two is named.
        Forbidden: the caller is somebody else.
    """
    if (practitioner is None) == (agency is None):
        raise wrong(["body"], "name a practitioner or an agency, one of the two")
    if not _owns(caller, practitioner, agency):
        raise Forbidden("The token manages its own practitioner's or agency's endpoints alone.")


async def own(db: Any, caller: Caller, id: UUID | None) -> Any:
    """Return one of the caller's own endpoints.

    Raises:
        NotFound: there is none, or it is another's: the two look the same.
    """
    row = await store.row_of(db, Endpoint, id)
    if row is None or not _owns(caller, row.practitioner, row.agency):
        raise NotFound("There is no such endpoint or delivery of the token's.")
    return row


def must_be_open(endpoint: Any) -> None:
    """Refuse an endpoint that is disabled.

    Raises:
        Conflict: it is.
    """
    if endpoint.disabled_at is not None:
        raise Conflict("The endpoint is disabled: its receiver answered 410. Add a new one.")
