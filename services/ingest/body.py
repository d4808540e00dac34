"""Bodies as they come: read once, strictly; only a faulty one is read mark by mark."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from libs.common.problems import InvalidRequest
from libs.common.school_day import Session
from services.ingest.registers import Marks, Rejected, as_sent
from services.ingest.repeated import may_repeat, repeated

MARKS_MAX = 20_000
ERRORS_TOLD_MAX = 20

Text = Annotated[str, Meta(max_length=500, pattern="^[^\\x00]*$")]
Group = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[^\\x00]*$")]
Kind = TypeVar("Kind")


class MarkIn(Struct, kw_only=True, forbid_unknown_fields=True):
    """One pupil's mark. `minutes_late` goes with code L or U only."""

    upn: str
    code: str
    minutes_late: Annotated[int, Meta(ge=0, le=600)] | None = None
    comment: Text | None = None


class RegisterIn(Struct, kw_only=True, forbid_unknown_fields=True):
    """A school's, or a group's, marks for one session."""

    group: Group | None = None
    marks: Annotated[list[MarkIn], Meta(min_length=1, max_length=MARKS_MAX)]


class LineIn(RegisterIn, kw_only=True, forbid_unknown_fields=True):
    """A register as a line of a stream."""

    urn: Annotated[str, Meta(pattern="^[1-9][0-9]{5}$")]
    date: date
    session: Session


class _LooseRegister(Struct, kw_only=True, forbid_unknown_fields=True):
    group: Group | None = None
    marks: Annotated[list[Raw], Meta(min_length=1, max_length=MARKS_MAX)]


class _LooseLine(_LooseRegister, kw_only=True, forbid_unknown_fields=True):
    urn: Annotated[str, Meta(pattern="^[1-9][0-9]{5}$")]
    date: date
    session: Session


_REGISTER = msgspec.json.Decoder(RegisterIn)
_LINE = msgspec.json.Decoder(LineIn)
_MARK = msgspec.json.Decoder(MarkIn)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_register(raw: bytes) -> Marks:
    """Read the body of one register.

    Raises:
        InvalidRequest: the envelope is wrong, a key is there twice, or not one mark is well formed.
    """
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        body = _REGISTER.decode(raw)
    except _FAULTS:
        loose = decoded(raw, _LooseRegister)
        _refuse_repeated(raw)
        return _mark_by_mark(loose)
    marks = _columns(list(range(len(body.marks))), body.marks, body.group)
    if may_repeat(raw, _keys_of(body)):
        _refuse_repeated(raw)
    return marks


def read_line(raw: bytes) -> tuple[str, date, Session, Marks]:
    """Read one line of a stream.

    Raises:
        InvalidRequest: the envelope is wrong, a key is there twice, or not one mark is well formed.
    """
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        body = _LINE.decode(raw)
    except _FAULTS:
        loose = decoded(raw, _LooseLine)
        _refuse_repeated(raw)
        return loose.urn, loose.date, loose.session, _mark_by_mark(loose)
    marks = _columns(list(range(len(body.marks))), body.marks, body.group)
    if may_repeat(raw, {**_keys_of(body), b'"urn"': 1, b'"date"': 1, b'"session"': 1}):
        _refuse_repeated(raw)
    return body.urn, body.date, body.session, marks


def _keys_of(body: RegisterIn) -> Mapping[bytes, int]:
    # A `null` is counted as if it were left out: its body is looked at more closely.
    marks = len(body.marks)
    return {
        b'"marks"': 1,
        b'"group"': body.group is not None,
        b'"upn"': marks,
        b'"code"': marks,
        b'"minutes_late"': marks - [mark.minutes_late for mark in body.marks].count(None),
        b'"comment"': marks - [mark.comment for mark in body.marks].count(None),
    }


def _refuse_repeated(raw: bytes) -> None:
    places = repeated(raw)
    if places:
        why = "this key is there twice: send it once"
        raise InvalidRequest(
            "A key is there twice, so it is not clear what was meant; nothing was stored.",
            errors=[{"at": ["body", *one.path], "why": why} for one in places[:ERRORS_TOLD_MAX]],
        )


def decoded(raw: bytes | Raw, kind: type[Kind]) -> Kind:
    """Read JSON as this kind.

    Raises:
        InvalidRequest: it is none; the errors say where and why, and repeat nothing of it.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except _FAULTS as fault:
        detail = "The body is not as described; correct it and send it again."
        raise InvalidRequest(detail, errors=[error_of(fault)]) from None


def error_of(fault: Exception, *place: str | int) -> dict[str, Any]:
    """Return where and why something could not be read, without repeating any of it."""
    if isinstance(fault, RecursionError):
        return {"at": ["body", *place], "why": "nested too deeply"}
    if not isinstance(fault, msgspec.ValidationError):
        return {"at": ["body", *place], "why": "not JSON"}
    why, _, path = str(fault).partition(" - at ")
    steps: list[str | int] = [
        int(index) if index else name for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path)
    ]
    if why.startswith("Object missing required field"):
        steps.append(why.split("`")[1])
        why = "missing"
    elif why.startswith("Object contains unknown field"):
        why = "it has a field that is not known here: leave it out"
    elif why.startswith("Invalid enum value"):
        why = "not one of the values that are known here"
    return {"at": ["body", *place, *steps], "why": why}


def _mark_by_mark(body: _LooseRegister) -> Marks:
    good: dict[int, MarkIn] = {}
    malformed: list[Rejected] = []
    errors: list[dict[str, Any]] = []
    for index, raw in enumerate(body.marks):
        try:
            good[index] = _MARK.decode(raw)
        except _FAULTS as fault:
            error = error_of(fault, "marks", index)
            errors.append(error)
            where = ".".join(map(str, error["at"][3:])) or "the mark"
            malformed.append(Rejected(index, *_as_sent(raw), f"{where}: {error['why']}"))
    if not good:
        detail = f"Not one of {len(errors)} mark(s) is well formed; nothing was stored."
        raise InvalidRequest(detail, errors=errors[:ERRORS_TOLD_MAX])
    return _columns(list(good), list(good.values()), body.group, tuple(malformed))


def _as_sent(raw: Raw) -> tuple[str | None, str | None]:
    try:
        mark = msgspec.json.decode(raw, type=dict[str, Raw])
        upn, code = (_text(mark.get(name)) for name in ("upn", "code"))
    except _FAULTS:
        return None, None
    return upn, code


def _text(raw: Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        return as_sent(msgspec.json.decode(raw, type=str))
    except _FAULTS:
        return None


def _columns(
    indexes: list[int],
    marks: Sequence[MarkIn],
    group: str | None,
    malformed: tuple[Rejected, ...] = (),
) -> Marks:
    late = [mark.minutes_late for mark in marks]
    said = [mark.comment for mark in marks]
    return Marks(
        indexes=indexes,
        upns=[mark.upn for mark in marks],
        codes=[mark.code for mark in marks],
        minutes={i: minutes for i, minutes in enumerate(late) if minutes is not None},
        comments={i: comment for i, comment in enumerate(said) if comment},
        group=group,
        malformed=malformed,
    )
