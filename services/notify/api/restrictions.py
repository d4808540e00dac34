"""Restrictions on a child's record: they beat every permit, from the moment they are set."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from libs.common.identifiers import Upn
from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.notify import store
from services.notify.api.access import DirectoryReader, DirectoryWriter, must_involve
from services.notify.api.parts import wrong
from services.notify.restrictions import RestrictionKind
from services.notify.tables import Agency, Practitioner, Restrictions
from services.notify.vocabulary import Field as FieldName
from services.notify.vocabulary import Name

router = APIRouter(tags=["directory"])
AIMED = frozenset({"relative", "more_detrimental"})
"""Kinds that keep everything back, and so must say from whom, or which fields alone."""


class RestrictionBody(BaseModel):
    """What is kept back, from whom, and why."""

    model_config = ConfigDict(extra="forbid")

    kind: RestrictionKind
    practitioner: Name | None = Field(None, description="From whom; with neither, from everybody.")
    agency: Name | None = Field(None, description="From everybody in this agency.")
    fields: list[FieldName] | None = Field(
        None, min_length=1, max_length=16, description="Which fields; else those of its kind."
    )
    reason: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")

    @model_validator(mode="after")
    def _says_from_whom(self) -> Self:
        if self.kind in AIMED and not (self.practitioner or self.agency or self.fields):
            raise ValueError(f"a restriction of the kind {self.kind} names from whom, or fields")
        return self


class RestrictionsBody(BaseModel):
    """Every restriction on the child's record; what is left out holds no longer."""

    model_config = ConfigDict(extra="forbid")

    restrictions: list[RestrictionBody] = Field(max_length=50)


@router.put(
    "/children/{upn}/restrictions",
    summary="Restrict a child's record",
    dependencies=[Depends(json_only)],
    responses=documented(TooLarge, UnsupportedMediaType),
)
async def put_restrictions(
    request: Request, caller: DirectoryWriter, upn: Annotated[Upn, Path()], body: RestrictionsBody
) -> RestrictionsBody:
    """Set what of a child's record is kept from whom: social care's and the authority's to say.

    It beats every policy, at once: for the next bell, and for each alert as it is read.
    """
    async with request.app.state.database.transaction() as db:
        await must_involve(db, caller, upn)
        for n, one in enumerate(body.restrictions):
            await _must_exist(db, n, one)
        rows = [one.model_dump(mode="json", exclude_none=True) for one in body.restrictions]
        await upsert(db, Restrictions, [{"upn": upn, "restrictions": rows}])
    return body


@router.get(
    "/children/{upn}/restrictions",
    summary="Read what restricts a child's record",
    responses=documented(NotFound),
)
async def get_restrictions(
    request: Request, caller: DirectoryReader, upn: Annotated[Upn, Path()]
) -> RestrictionsBody:
    """Return the restrictions, to those who may set them."""
    async with request.app.state.database.reading() as db:
        await must_involve(db, caller, upn)
        row = await store.row_of(db, Restrictions, upn)
    if row is None:
        raise NotFound("Nobody has restricted this child's record.")
    return RestrictionsBody.model_validate({"restrictions": row.restrictions})


async def _must_exist(db: AsyncConnection, n: int, one: RestrictionBody) -> None:
    # A restriction that names nobody there is would hold nothing back, and nobody would notice.
    named = (("practitioner", Practitioner, one.practitioner), ("agency", Agency, one.agency))
    for what, table, id in named:
        if id is not None and await store.row_of(db, table, id) is None:
            raise wrong(["body", "restrictions", n, what], "there is none with this id")
