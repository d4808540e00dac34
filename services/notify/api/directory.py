"""The directory: agencies, practitioners, and who works with a child."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.auth import Caller
from libs.common.database import upsert
from libs.common.events import Involvement, InvolvementsSet
from libs.common.identifiers import Upn, Urn
from libs.common.problems import (
    Forbidden,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import Day, utc_now
from libs.common.service import json_only
from services.notify import store
from services.notify.api.access import DirectoryReader, DirectoryWriter
from services.notify.api.parts import Id, Name, wrong
from services.notify.tables import Agency, Involvements, Practitioner

router = APIRouter(tags=["directory"])
TAKES_JSON = documented(TooLarge, UnsupportedMediaType)
Role = Literal[
    "attendance_lead", "safeguarding_lead", "headteacher", "attendance_officer",
    "virtual_school_head", "send_officer", "social_worker", "youth_justice_worker",
    "police_contact", "school_nurse",
]  # fmt: skip
Kind = Literal[
    "school", "trust", "local_authority", "social_care", "police", "health", "youth_justice"
]
Footing = Literal[
    "child_protection_plan", "child_in_need", "looked_after", "youth_justice", "early_help",
    "missing_or_exploitation_risk", "none",
]  # fmt: skip
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
INVOLVERS = frozenset({"local_authority", "social_care"})
"""Kinds of agency whose systems may say who works with a child."""


class AgencyBody(BaseModel):
    """An agency."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    kind: Kind
    urns: list[Urn] = Field([], max_length=2000, description="Schools that it is, or looks after.")
    la: str | None = Field(None, pattern=r"^[0-9]{3}$", description="Local authority code.")


class PractitionerBody(BaseModel):
    """A person who may receive alerts."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    agency: Name
    roles: list[Role] = Field(min_length=1, max_length=10)
    email: str | None = Field(None, max_length=254, pattern=r"^[^\x00@\s]+@[^\x00@\s]+$")


class InvolvementBody(BaseModel):
    """That a practitioner works with the child."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    practitioner: Name
    role: Role
    footing: Footing
    starts_on: Day = Field(alias="from")
    ends_on: Day | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "InvolvementBody":
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("`to` is before `from`")
        return self


class InvolvementsBody(BaseModel):
    """Everybody who works with the child; who is left out no longer does."""

    model_config = ConfigDict(extra="forbid")

    involvements: list[InvolvementBody] = Field(max_length=100)


@router.put(
    "/agencies/{id}", summary="Set an agency", dependencies=[Depends(json_only)],
    responses=TAKES_JSON,
)  # fmt: skip
async def put_agency(
    request: Request, caller: DirectoryWriter, id: Id, agency: AgencyBody
) -> AgencyBody:
    """Add or change an agency: the operator's to do."""
    if not caller.is_admin and caller.agency is not None:
        raise Forbidden("An agency's own token cannot change agencies: ask the operator.")
    async with request.app.state.database.transaction() as db:
        await upsert(db, Agency, [{"id": id, **agency.model_dump()}])
    return agency


@router.get("/agencies/{id}", summary="Read an agency", responses=documented(NotFound))
async def get_agency(request: Request, _: DirectoryReader, id: Id) -> AgencyBody:
    """Return an agency."""
    row = await _row(request, Agency, id)
    return AgencyBody(name=row.name, kind=row.kind, urns=row.urns, la=row.la)


@router.put(
    "/practitioners/{id}", summary="Set a practitioner", dependencies=[Depends(json_only)],
    responses=TAKES_JSON,
)  # fmt: skip
async def put_practitioner(
    request: Request, caller: DirectoryWriter, id: Id, practitioner: PractitionerBody
) -> PractitionerBody:
    """Add or change a practitioner; an agency's token, those of its own agency."""
    async with request.app.state.database.transaction() as db:
        held = await store.row_of(db, Practitioner, id)
        for agency in {practitioner.agency, held.agency if held else practitioner.agency}:
            if caller.agency is not None and not caller.is_admin and caller.agency != agency:
                raise Forbidden("The token sets practitioners of its own agency alone.")
        if await store.row_of(db, Agency, practitioner.agency) is None:
            raise wrong(["body", "agency"], "no such agency: set it first")
        await upsert(db, Practitioner, [{"id": id, **practitioner.model_dump()}])
    return practitioner


@router.get("/practitioners/{id}", summary="Read a practitioner", responses=documented(NotFound))
async def get_practitioner(request: Request, _: DirectoryReader, id: Id) -> PractitionerBody:
    """Return a practitioner."""
    row = await _row(request, Practitioner, id)
    return PractitionerBody(name=row.name, agency=row.agency, roles=row.roles, email=row.email)


@router.put(
    "/children/{upn}/involvements", summary="Set who works with a child",
    dependencies=[Depends(json_only)], responses=TAKES_JSON,
)  # fmt: skip
async def put_involvements(
    request: Request, caller: DirectoryWriter, upn: Annotated[Upn, Path()], body: InvolvementsBody
) -> InvolvementsBody:
    """Set everybody who works with a child. It takes effect on the very next bell."""
    rows = [one.model_dump(mode="json", by_alias=True) for one in body.involvements]
    async with request.app.state.database.transaction() as db:
        await _must_involve(db, caller)
        known = {person.id for person in await store.people(db)}
        for n, row in enumerate(rows):
            if row["practitioner"] not in known:
                raise wrong(["body", "involvements", n, "practitioner"], "set them first")
        await _wait_for_others(db, upn)
        revision, held = await store.involvements_of(db, upn)
        if rows != held or not revision:
            row = {"upn": upn, "revision": revision + 1, "involvements": rows}
            await upsert(db, Involvements, [row])
            event = _event(upn, revision + 1, body.involvements)
            await outbox.append(db, "notify", [event])
    request.app.state.relay.wake()
    return body


@router.get("/children/{upn}/involvements", summary="Read who works with a child",
            responses=documented(NotFound))  # fmt: skip
async def get_involvements(
    request: Request, caller: DirectoryReader, upn: Annotated[Upn, Path()]
) -> InvolvementsBody:
    """Return who works with a child, to those who may set it."""
    async with request.app.state.database.reading() as db:
        await _must_involve(db, caller)
        revision, held = await store.involvements_of(db, upn)
    if not revision:
        raise NotFound("Nobody has said who works with this child.")
    return InvolvementsBody.model_validate({"involvements": held})


async def _must_involve(db: Any, caller: Caller) -> None:
    if caller.is_admin or caller.agency is None:
        return
    agency = await store.row_of(db, Agency, caller.agency)
    if agency is None or agency.kind not in INVOLVERS:
        raise Forbidden("Local authorities and social care say who works with a child.")


async def _wait_for_others(db: AsyncConnection, upn: str) -> None:
    # Each change has a revision of its own, or its event would pass for one that was told before.
    # SQLite lets one writer in at a time anyway.
    if db.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext('involvements ' || :upn))")
        await db.execute(lock, {"upn": upn})


def _event(upn: str, revision: int, involvements: list[InvolvementBody]) -> InvolvementsSet:
    return InvolvementsSet(
        occurred_at=utc_now(),
        upn=upn,
        revision=revision,
        involvements=[
            Involvement(
                role=one.role, footing=one.footing, starts_on=one.starts_on, ends_on=one.ends_on
            )
            for one in involvements
        ],
    )


async def _row(request: Request, table: Any, id: str) -> Any:
    async with request.app.state.database.reading() as db:
        row = await store.row_of(db, table, id)
    if row is None:
        raise NotFound("There is none with this id.")
    return row
