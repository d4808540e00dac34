"""All that ingest holds about one pupil, and nothing about any other."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import LargeBinary, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.held import code_text, unpacked
from services.ingest.tables import (
    QuarantinedMark,
    StoredCorrection,
    StoredPupil,
    StoredRegister,
)

CHANGES = (
    "at", "urn", "day", "session", "from_code", "to_code", "from_minutes", "to_minutes",
    "from_comment", "to_comment", "subject",
)  # fmt: skip


async def held_of(db: AsyncConnection, upn: str) -> dict[str, Any]:
    """Return the pupil's roll entries, marks, their corrections, and marks that were not taken."""
    pupil, correction, bad = StoredPupil, StoredCorrection, QuarantinedMark
    rolls = await db.execute(select(pupil.urn, pupil.pupil).where(pupil.upn == upn))
    changes = select(*(getattr(correction, name) for name in CHANGES))
    changed = await db.execute(changes.where(correction.upn == upn).order_by(correction.id))
    columns = (bad.at, bad.urn, bad.day, bad.session, bad.code, bad.reason)
    refused = await db.execute(select(*columns).where(bad.upn == upn).order_by(bad.id))
    return {
        "rolls": [row._asdict() for row in rolls],
        "marks": await _marks_of(db, upn),
        "corrections": [row._asdict() for row in changed],
        "not_taken": [row._asdict() for row in refused],
    }


async def names_beside(db: AsyncConnection, upn: str) -> set[str]:
    """Return the full names of the other pupils at this pupil's schools."""
    own = select(StoredPupil.urn).where(StoredPupil.upn == upn)
    others = select(StoredPupil.pupil).where(StoredPupil.urn.in_(own), StoredPupil.upn != upn)
    return {f"{pupil['given_name']} {pupil['family_name']}" for pupil in await db.scalars(others)}


async def _marks_of(db: AsyncConnection, upn: str) -> list[dict[str, Any]]:
    # Registers hold UPNs end to end: the database only finds those in which this one may be.
    place = "instr(upns, :upn)" if db.dialect.name == "sqlite" else "position(:upn IN upns)"
    has = text(f"{place} > 0").bindparams(bindparam("upn", upn.encode(), LargeBinary()))
    register = StoredRegister
    query = select(register.__table__).where(has)
    rows = await db.execute(query.order_by(register.urn, register.day, register.session))
    return list(_own_marks(rows, upn))


def _own_marks(rows: Iterable[Any], upn: str) -> Iterable[dict[str, Any]]:
    for row in rows:
        held = unpacked(row.revision, row.upns, row.codes, row.details)
        if upn in held.codes:
            yield {
                "urn": row.urn,
                "day": row.day,
                "session": row.session,
                "code": code_text(held.codes[upn]),
                "minutes_late": held.minutes.get(upn),
                "comment": held.comments.get(upn),
                "group": held.groups.get(upn),
            }
