"""Involvements as a file, for authorities whose system can export but not call."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import Upn
from libs.common.problems import InvalidRequest
from services.notify import directory_store, store
from services.notify.belonging import Area, children_of_others
from services.notify.involving import (
    INVOLVEMENTS_MAX,
    InvolvementBody,
    involve,
    merged,
    wait_for_others,
)

REQUIRED = ("upn", "practitioner", "role", "footing", "from", "to")
OPTIONAL = ("at_once",)
_UPN: TypeAdapter[str] = TypeAdapter(Upn)


@dataclass
class Line:
    """A line of the file: what it says, or what is wrong with it, and what became of it."""

    number: int
    upn: str = ""
    involvement: InvolvementBody | None = None
    outcome: Literal["added", "changed", "unchanged", "rejected"] = "rejected"
    fault: str | None = None

    def reject(self, fault: str) -> None:
        """Take it no further; `fault` repeats nothing of what the line says."""
        self.outcome, self.fault, self.involvement = "rejected", fault, None


def read(body: bytes) -> list[Line]:
    """Read a file's lines.

    Raises:
        InvalidRequest: it is no UTF-8, or its header lacks a column.
    """
    try:
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(rows, [])]
        lines = [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidRequest("The body is no CSV in UTF-8: export it again.") from None
    missing = [name for name in REQUIRED if name not in header]
    strange = len(header) - len([n for n in header if n in (*REQUIRED, *OPTIONAL)])
    if missing or strange:
        needed = f"The first line names the columns {','.join(REQUIRED)} and, if wanted, at_once"
        raise InvalidRequest(f"{needed}: {len(missing)} missing, {strange} not known.")
    return [_line(number, dict(zip(header, row, strict=False)), len(row) == len(header))
            for number, row in lines]  # fmt: skip


def _line(number: int, cells: dict[str, str], whole: bool) -> Line:
    line = Line(number)
    if not whole:
        line.reject("it has not as many columns as the first line")
        return line
    told: dict[str, Any] = {name: value.strip() or None for name, value in cells.items()}
    told["at_once"] = (told.get("at_once") or "no").lower()
    try:
        line.upn = _UPN.validate_python(told.pop("upn"))
        line.involvement = InvolvementBody.model_validate(told)
    except ValidationError as error:
        # Only where and why: pydantic's `input` is what the line says.
        first = error.errors(include_input=False, include_url=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "upn" if not line.upn else "from, to"
        line.reject(f"{where}: {first['msg']}")
    return line


async def take(db: AsyncConnection, lines: Sequence[Line], area: Area | None) -> list[Line]:
    """Take the good lines, all in this transaction, and say of each what became of it.

    Args:
        area: of whose children the file may speak; None: of any.
    """
    if area is not None:
        await _reject_others(db, lines, area)
    good = [line for line in lines if line.involvement is not None]
    known = await directory_store.known_ids(db, {_of(line).practitioner for line in good})
    for line in good:
        if _of(line).practitioner not in known:
            line.reject("practitioner: there is none with this id: set them first")
    children: dict[str, list[Line]] = {}
    for line in lines:
        if line.involvement is not None:
            children.setdefault(line.upn, []).append(line)
    for upn in sorted(children):  # in one order, so that two files do not wait for one another
        await _take_child(db, upn, children[upn])
    return list(lines)


async def _reject_others(db: AsyncConnection, lines: Sequence[Line], area: Area) -> None:
    upns = {line.upn for line in lines if line.involvement is not None}
    others = await children_of_others(db, area, upns)
    for line in lines:
        if line.upn in others:
            line.reject("upn: the child is another authority's: ask it, or the operator")


async def _take_child(db: AsyncConnection, upn: str, lines: Sequence[Line]) -> None:
    await wait_for_others(db, upn)
    held = (await store.involvements_of(db, upn))[1]
    by_key = {one.key: one for one in merged(held, ())}
    for line in lines:
        before = by_key.get(_of(line).key)
        if before is None and len(by_key) >= INVOLVEMENTS_MAX:
            line.reject(f"the child has {INVOLVEMENTS_MAX} involvements already")
            continue
        line.outcome = (
            "added" if before is None else "unchanged" if before == line.involvement else "changed"
        )
        by_key[_of(line).key] = _of(line)
    await involve(db, upn, list(by_key.values()))


def _of(line: Line) -> InvolvementBody:
    assert line.involvement is not None
    return line.involvement
