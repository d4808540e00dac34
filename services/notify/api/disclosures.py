"""The ledger of disclosures."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from libs.common.identifiers import Upn
from libs.common.problems import documented
from libs.common.service import Cursor, Limit, Page, after, cursor_of
from services.notify import ledger
from services.notify.api.access import LedgerReader
from services.notify.checkpoints import file_of
from services.notify.proof import prove
from services.notify.tables import Disclosure, DisclosureContent

router = APIRouter(tags=["disclosures"])


Recorded = Literal[
    "shared", "withheld", "awaiting_approval", "approved", "refused", "expired", "read",
    "delivered", "erased",
]  # fmt: skip


class DisclosureOut(BaseModel):
    """A recorded decision to share or to withhold, or what came of it."""

    id: UUID
    sequence: int
    bell: UUID | None = Field(description="Null: about no bell, e.g. an erasure after its time.")
    recipient: str
    decision: Recorded
    fields: list[str]
    withheld: list[str]
    basis: list[str]
    policies: list[str]
    decided_at: datetime
    hash: str
    previous_hash: str


class Verified(BaseModel):
    """Whether the ledger is whole."""

    ok: bool
    first_bad: int | None = Field(None, description="The first record that it cannot vouch for.")
    why: str | None = None
    records: int = Field(description="Records that were read and hold.")
    checkpoints: int = Field(description="Signed checkpoints that they agree with.")


@router.get("/disclosures", summary="Read the ledger", responses=documented())
async def get_disclosures(
    request: Request,
    _: LedgerReader,
    upn: Annotated[Upn | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DisclosureOut]:
    """Return decisions in order, all or one child's."""
    (last,) = after(cursor, tuple[int]) or (0,)
    query = ledger.entries().where(Disclosure.sequence > last)
    if upn is not None:
        query = query.where(DisclosureContent.upn == upn)
    async with request.app.state.database.reading() as db:
        found = await db.execute(query.order_by(Disclosure.sequence).limit(limit + 1))
        rows: list[Any] = list(found)
    more = cursor_of(rows[limit - 1].sequence) if rows[limit:] else None
    return Page(items=[disclosure_of(row) for row in rows[:limit]], next=more)


@router.get("/disclosures/verify", summary="Prove the ledger", responses=documented(),
            response_model_exclude_none=True)  # fmt: skip
async def verify(request: Request, _: LedgerReader) -> Verified:
    """Read the whole ledger and say whether any record was changed, added, removed or moved.

    It is read a row at a time, and compared with the signed checkpoints too.
    """
    state = request.app.state
    verdict = await prove(state.database, state.seal, file_of(state.settings))
    figures = {"records": verdict.records, "checkpoints": verdict.checkpoints}
    if verdict.bad is None:
        return Verified(ok=True, **figures)
    return Verified(ok=False, first_bad=verdict.bad.first, why=verdict.bad.why, **figures)


def disclosure_of(row: Any) -> DisclosureOut:
    """Return a link of the ledger as it is read."""
    fields = {name: row.record[name] for name in DisclosureOut.model_fields if name in row.record}
    chain = {"sequence": row.sequence, "hash": row.hash, "previous_hash": row.previous_hash}
    return DisclosureOut(**{**fields, **chain})
