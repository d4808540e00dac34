"""Risk's calls: bells and the rule catalogue."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select, tuple_

from libs.common import tenants
from libs.common.identifiers import Upn, Urn
from libs.common.problems import NotFound, documented
from libs.common.school_day import Day
from libs.common.service import Page, after, cursor_of
from services.risk import judged
from services.risk.callers import BellReader, Reader, RuleReader
from services.risk.fold import Rule
from services.risk.judged import Judged
from services.risk.tables import StoredBell
from services.risk.words import SEVERITY_ASKS, clears_of, severities_of

router = APIRouter(prefix="/v1")


class RuleName(BaseModel):
    """Which rule rang, in which version, on whose authority."""

    name: str
    version: str
    source: str


class BellOut(BaseModel):
    """One rule's finding about one pupil: it prompts a person, it decides nothing."""

    id: UUID
    urn: str
    upn: str | None
    kind: str
    severity: Literal["notice", "warning", "urgent"]
    status: Literal["ringing", "cleared", "withdrawn"]
    raised_on: date = Field(description="The latest school day in the book when it rang.")
    raised_at: datetime
    explanation: str
    evidence: dict[str, Any]
    rule: RuleName


class Wanted(BaseModel):
    """Which bells to list."""

    model_config = ConfigDict(extra="forbid")

    urn: Urn | None = None
    upn: Upn | None = None
    kind: str | None = Field(None, max_length=40)
    status: Literal["ringing", "cleared", "withdrawn"] | None = None
    raised_from: Day | None = None
    raised_to: Day | None = None
    limit: int = Field(100, ge=1, le=500)
    cursor: str | None = Field(None, max_length=200)


class SeverityOut(BaseModel):
    """A severity that a rule's bells can have."""

    severity: Literal["notice", "warning", "urgent"]
    asks: str = Field(description="How soon somebody should look.")


class RuleOut(BaseModel):
    """A rule of the catalogue."""

    kind: str
    title: str
    version: str
    parameters: dict[str, Any]
    source: str
    asks: str = Field(description="What guidance asks of people, and what the bell does not mean.")
    clears: str = Field(description="What clears its bells; empty of a rule that does not say.")
    severities: list[SeverityOut] = Field(description="Severities that its bells can have.")
    judged: list[Judged] = Field(
        description="How its bells were judged when their alerts were closed, by its version: in "
        "the whole installation, whoever asks. Empty: none was closed."
    )


@router.get("/bells", summary="List bells, newest first", responses=documented())
async def get_bells(
    request: Request,
    caller: BellReader,
    wanted: Annotated[Wanted, Query()],
) -> Page[BellOut]:
    """Bells of the schools that the token may read, each with its reasons."""
    query = _query(wanted, caller)
    limit = wanted.limit
    async with request.app.state.database.reading() as db:
        rows = [dict(row._mapping) for row in await db.execute(query)]
    more = cursor_of(rows[limit - 1]["raised_at"], rows[limit - 1]["id"]) if rows[limit:] else None
    return Page(items=[BellOut.model_validate(row) for row in rows[:limit]], next=more)


@router.get("/bells/{bell}", summary="Read one bell", responses=documented(NotFound))
async def get_bell(request: Request, caller: BellReader, bell: UUID) -> BellOut:
    """Return a bell of a school that the token may read."""
    query = select(StoredBell.__table__).where(StoredBell.id == bell)
    async with request.app.state.database.reading() as db:
        row = (await db.execute(query)).first()
    if row is None or not caller.may_read(row.urn):
        raise NotFound("There is no such bell that the token may read.")
    return BellOut.model_validate(dict(row._mapping))


@router.get("/rules", summary="Read the rule catalogue", responses=documented())
async def get_rules(request: Request, _: RuleReader) -> Page[RuleOut]:
    """Every rule with its parameters, its source, what it asks of people, and how it was judged."""
    rules = request.app.state.evaluator.rules
    # The rule is the same for all schools, and few of one's bells would say little of it.
    with tenants.everything():
        async with request.app.state.database.reading() as db:
            found = await judged.by_kind(db)
    return Page(items=[_rule_out(rule, rules, found.get(rule.kind, [])) for rule in rules])


def _rule_out(rule: Rule, rules: Sequence[Rule], found: list[Judged]) -> RuleOut:
    names = ("kind", "title", "version", "source", "asks")
    return RuleOut(
        parameters=dict(rule.parameters),
        judged=found,
        clears=clears_of(rule),
        severities=[
            SeverityOut(severity=one.name, asks=SEVERITY_ASKS[one])
            for one in severities_of(rule, rules)
        ],
        **{name: getattr(rule, name) for name in names},
    )


def _query(wanted: Wanted, caller: Reader) -> Select[Any]:
    table = StoredBell
    query = select(table.__table__).order_by(table.raised_at.desc(), table.id.desc())
    for name in ("urn", "upn", "kind", "status"):
        if getattr(wanted, name) is not None:
            query = query.where(getattr(table, name) == getattr(wanted, name))
    if wanted.raised_from is not None:
        query = query.where(table.raised_on >= wanted.raised_from)
    if wanted.raised_to is not None:
        query = query.where(table.raised_on <= wanted.raised_to)
    if not caller.is_admin:
        query = query.where(table.urn.in_(caller.urns | caller.area))
    place = after(wanted.cursor, tuple[datetime, UUID])
    if place is not None:
        query = query.where(tuple_(table.raised_at, table.id) < tuple_(*place))
    return query.limit(wanted.limit + 1)
