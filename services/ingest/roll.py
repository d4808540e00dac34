"""The use case: a school's roll and calendar, kept with the events that tell of them."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events import Brought, CalendarSet, Closure, Event, RollChanged, RollPupil, Term
from libs.common.identifiers import fault_of, id_of
from libs.common.problems import InvalidRequest
from libs.common.school_day import academic_year_of, utc_now
from services.ingest import roll_store
from services.ingest.body import error_of
from services.ingest.registers import as_sent
from services.ingest.store import Source, keep_receipts

PUPILS_AN_EVENT = 500
SESSIONS_A_YEAR_MAX = 420
"""More than any school is open: what is brought from former schools cannot be more."""


class BroughtIn(Brought, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pupil brings from former schools, as the school sends it."""


class PupilIn(RollPupil, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pupil as the school sends them."""

    brought: BroughtIn | None = None


async def set_roll(
    db: AsyncConnection, urn: str, sent: Sequence[Any], subject: str
) -> dict[str, Any]:
    """Make these pupils the school's roll; return what changed. Bad pupils are left as they were.

    A pupil left out is taken off the roll.

    Raises:
        InvalidRequest: not one pupil is good, so the roll would be emptied.
    """
    good, rejected = _sort_out(sent)
    if not good:
        raise InvalidRequest("Not one pupil can be taken; nothing changed.", rejected=rejected)
    revision, held = await roll_store.lock_roll(db, urn)
    changed = {upn: pupil for upn, pupil in good.items() if held.get(upn) != pupil}
    removed = sorted(held.keys() - good.keys() - {bad["upn"] for bad in rejected})
    events = _events(urn, revision, list(changed.values()), removed)
    revision += len(events)
    if events:
        await roll_store.keep_roll(db, urn, revision, changed, removed)
        await outbox.append(db, "ingest", events)
    told = {
        "accepted": len(changed),
        "corrected": len(changed.keys() & held.keys()),
        "unchanged": len(good) - len(changed),
        "removed": len(removed),
        "rejected": rejected,
    }
    return await _receipt(db, "roll", urn, subject, id_of("roll", urn, revision), told)


async def _receipt(
    db: AsyncConnection, kind: str, urn: str, subject: str, event_id: UUID, told: dict[str, Any]
) -> dict[str, Any]:
    source = Source(uuid4(), subject, utc_now())
    answer = {"receipt": str(source.receipt), **told}
    await keep_receipts(db, [roll_store.receipt_row(kind, urn, source, event_id, answer)])
    return answer


def _sort_out(sent: Sequence[Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    good: dict[str, Any] = {}
    rejected = []
    for index, raw in enumerate(sent):
        upn = raw.get("upn") if isinstance(raw, dict) else None
        try:
            pupil = msgspec.convert(raw, PupilIn)
            reason = _fault(pupil) or ("the pupil is on this roll twice" if upn in good else None)
        except msgspec.ValidationError as fault:
            error = error_of(fault)
            reason = f"{'.'.join(map(str, error['at'][1:])) or 'the pupil'}: {error['why']}"
        if reason is None:
            good[str(upn)] = msgspec.to_builtins(pupil)
        else:
            named = as_sent(upn) if isinstance(upn, str) else None
            rejected.append({"index": index, "upn": named, "reason": reason})
    return good, rejected


def _fault(pupil: RollPupil) -> str | None:
    fault = fault_of(pupil.upn)
    if fault is not None:
        return fault
    if pupil.left_on is not None and pupil.left_on < pupil.entered_on:
        return "left_on is before entered_on"
    if pupil.date_of_birth >= pupil.entered_on:
        return "date_of_birth is not before entered_on"
    if pupil.brought is not None and (why := _fault_in(pupil.brought, pupil.entered_on)):
        return f"brought: {why}"
    texts = msgspec.json.encode(pupil)
    return "a text holds a character that cannot be stored" if b"\\u0000" in texts else None


def _fault_in(brought: Brought, entered_on: date) -> str | None:
    if brought.academic_year != academic_year_of(entered_on):
        return "academic_year is not that of entered_on"
    if min(brought.possible, brought.authorised, brought.unauthorised) < 0:
        return "a number of sessions is below 0"
    if brought.authorised + brought.unauthorised > brought.possible:
        return "more sessions missed than were possible"
    if brought.possible > SESSIONS_A_YEAR_MAX:
        return f"more than {SESSIONS_A_YEAR_MAX} sessions in a year"
    return None


def _events(
    urn: str, revision: int, changed: list[dict[str, Any]], removed: list[str]
) -> list[Event]:
    parts = [changed[n : n + PUPILS_AN_EVENT] for n in range(0, len(changed), PUPILS_AN_EVENT)]
    if removed and not parts:
        parts = [[]]
    return [
        RollChanged(
            occurred_at=utc_now(),
            urn=urn,
            revision=revision + number,
            pupils=msgspec.convert(part, list[RollPupil]),
            removed=removed if number == 1 else [],
        )
        for number, part in enumerate(parts, 1)
    ]


async def set_calendar(
    db: AsyncConnection, urn: str, academic_year: int, body: dict[str, Any], subject: str
) -> dict[str, Any]:
    """Make this the school's calendar for the academic year; the same again changes nothing."""
    row = await roll_store.lock_calendar(db, urn, academic_year)
    revision, held = row or (0, None)
    changed = held != body
    if changed:
        revision += 1
        await roll_store.keep_calendar(db, urn, academic_year, revision, body)
        event = CalendarSet(
            occurred_at=utc_now(),
            urn=urn,
            academic_year=academic_year,
            revision=revision,
            terms=msgspec.convert(body["terms"], list[Term]),
            closed=msgspec.convert(body["closed"], list[Closure]),
        )
        await outbox.append(db, "ingest", [event])
    event_id = id_of("calendar", urn, academic_year, revision)
    told = {"revision": revision, "changed": changed}
    return await _receipt(db, "calendar", urn, subject, event_id, told)


def fault_of_terms(terms: Sequence[tuple[date, date]]) -> str | None:
    """Say what is wrong with a year's terms; None when nothing is."""
    for starts_on, ends_on in terms:
        if ends_on < starts_on:
            return "a term ends before it starts"
    ordered = sorted(terms)
    for (_, ends_on), (starts_on, _) in pairwise(ordered):
        if starts_on <= ends_on:
            return "two terms overlap"
    return None
