"""What the routes share: who calls, path parts, bodies, answers."""

from datetime import date
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Path, Response, Security
from msgspec import Struct
from pydantic import BaseModel, Field, ValidationError

from libs.common import school_day
from libs.common.auth import Bearer, Caller
from libs.common.problems import InvalidRequest, told
from services.ingest.days import fault_of_day

bearer = Bearer(
    {
        "registers:write": "Send registers of the schools in the token's `urns`.",
        "registers:read": "Read their registers, history, quarantine and receipts.",
        "roll:write": "Send their rolls.",
        "roll:read": "Read their rolls.",
        "calendar:write": "Send their calendars.",
        "calendar:read": "Read their calendars.",
    }
)

Model = TypeVar("Model", bound=BaseModel)


WritesRegisters = Annotated[Caller, Security(bearer, scopes=["registers:write"])]
ReadsRegisters = Annotated[Caller, Security(bearer, scopes=["registers:read"])]
WritesRoll = Annotated[Caller, Security(bearer, scopes=["roll:write"])]
ReadsRoll = Annotated[Caller, Security(bearer, scopes=["roll:read"])]
WritesCalendar = Annotated[Caller, Security(bearer, scopes=["calendar:write"])]
ReadsCalendar = Annotated[Caller, Security(bearer, scopes=["calendar:read"])]


Day = Annotated[school_day.Day, Path(alias="date", examples=["2026-09-14"])]


def check_day(day: date) -> None:
    """Refuse a day that no register can be for.

    Raises:
        InvalidRequest: it is in the future, or before 2000.
    """
    fault = fault_of_day(day)
    if fault:
        raise InvalidRequest(
            f"Mend the date: {fault}.", errors=[{"at": ["path", "date"], "why": fault}]
        )


def answered(body: Any, headers: dict[str, str]) -> Response:
    """Return an answer without another check of its form: we have just made it."""
    return Response(msgspec.json.encode(body), 202, headers, "application/json")


def parsed(model: type[Model], raw: bytes) -> Model:
    """Read a raw body as this model.

    Raises:
        InvalidRequest: it is none; the errors say where and why, and repeat nothing of it.
    """
    try:
        return model.model_validate_json(raw)
    except ValidationError as fault:
        found = fault.errors(include_input=False, include_context=False, include_url=False)
        errors = [told(error, "body") for error in found[:20]]
        detail = "The body is not as described; correct it and send it again."
        raise InvalidRequest(detail, errors=errors) from None


def model_body(model: type[BaseModel], example: Any) -> dict[str, Any]:
    """Return OpenAPI's description of a raw body that `parsed` reads."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    return _request_body(_inlined(schema, parts), example, "application/json")


def body_of(
    kind: type[Struct], example: Any, media_type: str = "application/json"
) -> dict[str, Any]:
    """Return OpenAPI's description of a raw body."""
    (schema,), parts = msgspec.json.schema_components([kind])
    if "$ref" in schema:
        schema = parts.pop(kind.__name__)
    return _request_body(_inlined(schema, parts), example, media_type)


def _request_body(schema: Any, example: Any, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": schema, "examples": {"usual": {"value": example}}}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(value, parts) for name, value in schema.items()}


class RejectedMark(BaseModel):
    """A mark that was not taken, and how to mend it."""

    index: int
    upn: str | None
    reason: str


class MarkNote(BaseModel):
    """A mark that was taken for another one."""

    index: int
    upn: str
    note: str


class Receipt(BaseModel):
    """What became of a register."""

    receipt: str
    accepted: int
    corrected: int
    unchanged: int
    rejected: list[RejectedMark]
    notes: list[MarkNote]
    warnings: list[str] = Field(
        description="What is odd about the register as a whole: that its session is on a weekend, "
        "or that the school's calendar plans none then. It was taken all the same."
    )
