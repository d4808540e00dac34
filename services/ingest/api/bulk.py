"""Send many registers: as NDJSON, streamed, or as a MIS's CSV export."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from libs.common.identifiers import Urn
from libs.common.problems import TooLarge, UnsupportedMediaType, documented
from libs.common.service import must_be
from services.ingest.api.parts import WritesRegisters
from services.ingest.bulk import Bulk, lines
from services.ingest.export import read_export, take_export

router = APIRouter(tags=["registers"])
Mode = Annotated[
    Literal["live", "backfill"],
    Query(description="`backfill` computes bells without notifying anyone."),
]


class CsvRejected(BaseModel):
    """A row that was not taken."""

    row: int = Field(description="The row in the file, from 1; the header is row 1.")
    upn: str | None
    reason: str


class CsvReceipt(BaseModel):
    """What became of a CSV export."""

    registers: int
    accepted: int
    corrected: int
    unchanged: int
    rejected: list[CsvRejected]
    warnings: list[str]
    receipts: list[str]


class Lines(StreamingResponse):
    """A streamed answer that leaves the request's body to whoever reads it.

    Starlette's own listens for a disconnection meanwhile, and so swallows parts of the body.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as it comes."""
        try:
            await self.stream_response(send)
        except OSError:
            raise ClientDisconnect from None


NDJSON = {"application/x-ndjson": {"schema": {"type": "string"}}}
CSV = {"text/csv": {"schema": {"type": "string"}}}


@router.post(
    "/registers",
    summary="Send many registers, a line each",
    response_class=StreamingResponse,
    responses={
        **documented(UnsupportedMediaType),
        200: {"description": "A receipt, or a problem, for each line.", "content": NDJSON},
    },
    openapi_extra={"requestBody": {"required": True, "content": NDJSON}},
)
async def post_registers(
    request: Request, caller: WritesRegisters, mode: Mode = "live"
) -> StreamingResponse:
    """Take a stream of any length: a register with `urn`, `date` and `session` on each line.

    Each line is answered on a line of its own, in order, with its number in `line`, from 1: a
    receipt, or a problem with its `status`. A bad line costs no other. Neither side need hold more
    than a few lines; answers wait for a sender that reads them only when it has sent all, up to
    256 MB of them (about a million registers).
    """
    must_be(request, "application/x-ndjson")
    bulk = Bulk(request.app.state.committer, caller, backfill=mode == "backfill")
    bytes_max = request.app.state.settings.request_bytes_max
    receipts = bulk.receipts(lines(request.stream(), bytes_max))
    return Lines(receipts, media_type="application/x-ndjson")


@router.post(
    "/schools/{urn}/registers.csv",
    status_code=202,
    summary="Send a MIS export",
    responses=documented(TooLarge, UnsupportedMediaType),
    openapi_extra={"requestBody": {"required": True, "content": CSV}},
)
async def post_csv(
    request: Request, caller: WritesRegisters, urn: Urn, mode: Mode = "live"
) -> CsvReceipt:
    """Take `date,session,upn,code[,minutes_late,comment,group]`, one mark a row."""
    caller.must_speak_for(urn)
    must_be(request, "text/csv")
    export = read_export(await request.body())
    committer = request.app.state.committer
    answer = await take_export(committer, urn, export, caller.subject, mode == "backfill")
    return CsvReceipt.model_validate(answer)
