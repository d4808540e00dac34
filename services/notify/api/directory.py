"""The directory: agencies and practitioners."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from libs.common.database import upsert
from libs.common.identifiers import Urn
from libs.common.problems import (
    Forbidden,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.service import json_only
from services.notify import directory_store, store
from services.notify.api.access import DirectoryReader, DirectoryWriter, must_be_an_integration
from services.notify.api.parts import Id, wrong
from services.notify.tables import Agency, Practitioner
from services.notify.vocabulary import AgencyKind, Name, Role

router = APIRouter(tags=["directory"])
TAKES_JSON = documented(TooLarge, UnsupportedMediaType)
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class AgencyBody(BaseModel):
    """An agency."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    kind: AgencyKind
    urns: list[Urn] = Field([], max_length=2000, description="Schools that it is, or looks after.")
    la: str | None = Field(None, pattern=r"^[0-9]{3}$", description="Local authority code.")


class PractitionerBody(BaseModel):
    """A person who may receive alerts."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    agency: Name
    roles: list[Role] = Field(min_length=1, max_length=10)
    email: str | None = Field(None, max_length=254, pattern=r"^[^\x00@\s]+@[^\x00@\s]+$")


@router.put(
    "/agencies/{id}", summary="Set an agency", dependencies=[Depends(json_only)],
    responses=TAKES_JSON,
)  # fmt: skip
async def put_agency(
    request: Request, caller: DirectoryWriter, id: Id, agency: AgencyBody
) -> AgencyBody:
    """Add or change an agency: the operator's to do."""
    must_be_an_integration(caller)
    if not caller.is_admin and caller.agency is not None:
        raise Forbidden("An agency's own token cannot change agencies: ask the operator.")
    async with request.app.state.database.transaction() as db:
        await directory_store.save_agencies(db, [{"id": id, **agency.model_dump()}])
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
    must_be_an_integration(caller)
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


async def _row(request: Request, table: Any, id: str) -> Any:
    async with request.app.state.database.reading() as db:
        row = await store.row_of(db, table, id)
    if row is None:
        raise NotFound("There is none with this id.")
    return row
