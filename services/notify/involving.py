"""The use case: who works with a child is set, and told to the other services."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.database import upsert
from libs.common.events import Involvement, InvolvementsSet
from libs.common.school_day import Day, utc_now
from services.notify import store
from services.notify.tables import Involvements
from services.notify.vocabulary import Footing, Name, Role

INVOLVEMENTS_MAX = 100
"""Most involvements of one child."""


class InvolvementBody(BaseModel):
    """That a practitioner works with the child."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    practitioner: Name
    role: Role
    footing: Footing
    starts_on: Day = Field(alias="from")
    ends_on: Day | None = Field(None, alias="to")
    at_once: bool = Field(
        False, description="A police contact: told at once, without an approval each time."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("`to` is before `from`")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Told only where it says something: a client reads back what it has sent.
        body: dict[str, Any] = usual(self)
        if not self.at_once:
            del body["at_once"]
        return body

    @property
    def key(self) -> tuple[str, str, str]:
        """A practitioner in a role from a day: set again, it is changed."""
        return self.practitioner, self.role, self.starts_on.isoformat()

    @property
    def row(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump(mode="json", by_alias=True)


async def involve(db: AsyncConnection, upn: str, involvements: Sequence[InvolvementBody]) -> None:
    """Set everybody who works with a child; unchanged, nothing is told."""
    await wait_for_others(db, upn)
    revision, held = await store.involvements_of(db, upn)
    rows = [one.row for one in involvements]
    if rows != held or not revision:
        row = {"upn": upn, "revision": revision + 1, "involvements": rows}
        await upsert(db, Involvements, [row])
        await outbox.append(db, "notify", [_event(upn, revision + 1, involvements)])


async def wait_for_others(db: AsyncConnection, upn: str) -> None:
    """Let one change of a child's involvements in at a time.

    Each has a revision of its own, or its event would pass for one that was told before. SQLite
    lets one writer in at a time anyway.
    """
    if db.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext('involvements ' || :upn))")
        await db.execute(lock, {"upn": upn})


def merged(
    held: Sequence[Mapping[str, Any]], changes: Sequence[InvolvementBody]
) -> list[InvolvementBody]:
    """Return a child's involvements with these added, or in the place of their earlier forms."""
    before = [InvolvementBody.model_validate(one) for one in held]
    by_key = {one.key: one for one in (*before, *changes)}
    return list(by_key.values())


def _event(upn: str, revision: int, involvements: Sequence[InvolvementBody]) -> InvolvementsSet:
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
