"""A MIS's CSV export: rows of marks, grouped into registers."""

import asyncio
import csv
import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from libs.common.problems import InvalidRequest
from libs.common.school_day import Session
from services.ingest.accept import Committer, Register
from services.ingest.days import fault_of_day
from services.ingest.registers import Marks, as_sent, sort_out
from services.ingest.store import Key

REQUIRED = ("date", "session", "upn", "code")
COLUMNS = (*REQUIRED, "minutes_late", "comment", "group")
MINUTES_MAX = 600
COMMENT_MAX = 500
GROUP_MAX = 40


@dataclass
class Export:
    """Registers by day and session, whose indexes are row numbers, and the rows refused."""

    registers: dict[tuple[date, Session], Marks] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)


def read_export(raw: bytes) -> Export:
    """Read an export. Rows are numbered as in a spreadsheet: the header is row 1.

    Raises:
        InvalidRequest: it is not UTF-8, not CSV, or has another header.
    """
    try:
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError:
        raise _unreadable("not UTF-8: export the file as UTF-8") from None
    except csv.Error:
        raise _unreadable("not CSV: look for a quotation mark that is not closed") from None
    header = [name.strip().lower().replace(" ", "_") for name in rows[0]] if rows else []
    fault = _fault_of_header(header)
    if fault:
        raise _unreadable(fault)
    export = Export()
    for number, row in enumerate(rows[1:], 2):
        if row:
            _take_row(export, number, header, row)
    return export


def _fault_of_header(header: list[str]) -> str | None:
    if set(REQUIRED) <= set(header) <= set(COLUMNS) and len(set(header)) == len(header):
        return None
    # As Excel writes them where the comma is the decimal sign, or as "Text (tab delimited)".
    for name, mark in (("semicolons", ";"), ("tabs", "\t")):
        if len(header) == 1 and mark in header[0]:
            return f"the cells are parted by {name}: export the file with commas"
    return f"the first row is {','.join(REQUIRED)}[,minutes_late,comment,group]"


def _unreadable(why: str) -> InvalidRequest:
    return InvalidRequest("The file cannot be read.", errors=[{"at": ["body"], "why": why}])


def _take_row(export: Export, number: int, header: list[str], row: list[str]) -> None:
    sent = dict.fromkeys(COLUMNS, "") | dict(zip(header, map(str.strip, row), strict=False))
    fault = _fault_of_row(sent) if len(row) == len(header) else "more or fewer cells than columns"
    if fault:
        bad = {"row": number, "upn": as_sent(sent["upn"]) or None, "reason": fault}
        export.rejected.append(bad)
        return
    key = (date.fromisoformat(sent["date"]), Session(sent["session"].lower()))
    marks = export.registers.setdefault(key, Marks(indexes=[], upns=[], codes=[]))
    place = len(marks.upns)
    marks.indexes.append(number)
    marks.upns.append(sent["upn"])
    marks.codes.append(sent["code"])
    if sent["minutes_late"]:
        marks.minutes[place] = int(sent["minutes_late"])
    if sent["comment"]:
        marks.comments[place] = sent["comment"]
    if sent["group"]:
        marks.groups[place] = sent["group"]


def _fault_of_row(sent: dict[str, str]) -> str | None:
    try:
        day = date.fromisoformat(sent["date"])
    except ValueError:
        return "date is written YYYY-MM-DD"
    if sent["session"].lower() not in set(Session):
        return "session is am or pm"
    minutes = sent["minutes_late"]
    if minutes and not (minutes.isascii() and minutes.isdigit() and len(minutes) <= 4):
        return "minutes_late is a whole number"
    if minutes and int(minutes) > MINUTES_MAX:
        return f"minutes_late is at most {MINUTES_MAX}"
    if len(sent["comment"]) > COMMENT_MAX or len(sent["group"]) > GROUP_MAX:
        return f"a comment has at most {COMMENT_MAX} characters, a group {GROUP_MAX}"
    if "\0" in sent["comment"] + sent["group"]:
        return "a text holds a character that cannot be stored"
    return fault_of_day(day)


async def take_export(
    committer: Committer, urn: str, export: Export, subject: str, backfill: bool
) -> dict[str, Any]:
    """Take an export's registers; return what became of it."""
    total = {"registers": len(export.registers), "accepted": 0, "corrected": 0, "unchanged": 0}
    rejected = list(export.rejected)
    answers = []
    for (day, session), marks in sorted(export.registers.items()):
        good = sort_out(day, session, marks)
        rejected += [{"row": m.index, "upn": m.upn, "reason": m.reason} for m in good.rejected]
        register = Register(Key(urn, day, session), good, subject, backfill)
        answers.append(committer.submit(register))
    receipts = await asyncio.gather(*answers)
    for receipt in receipts:
        for name in ("accepted", "corrected", "unchanged"):
            total[name] += receipt[name]
    rejected.sort(key=lambda bad: int(bad["row"]))
    warnings = [warning for one in receipts for warning in one["warnings"]]
    numbers = [one["receipt"] for one in receipts]
    return {**total, "rejected": rejected, "warnings": warnings, "receipts": numbers}
