"""`firstbell subject-access`: all that is held about a child and was shared, others left out.

Who else is named in it, and who is not:

- Practitioners act in a professional capacity: they are named with their roles and agencies. Their
  e-mail addresses and where their systems are reached are left out.
- Other children are never named: another UPN, or the full name of another pupil of the same school,
  is replaced wherever it stands, in figures, comments and notes.

Source: Data Protection Act 2018, Schedule 2, paragraphs 16 and 17 (rights of others; health, social
and education workers). Whether anything must be held back all the same (the serious-harm tests of
Schedule 3) is for a person to decide before it is handed over: the document says so.
"""

import json
import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from mako.template import Template
from sqlalchemy import select

from libs.common import tenants
from libs.common.codes import CODES
from libs.common.database import Database
from libs.common.identifiers import fault_of
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.ingest import subject as ingest
from services.notify.api.record import record_of
from services.notify.tables import Agency, Practitioner
from services.risk import subject as risk

OTHER_CHILD = "[another child]"
_UPN_LIKE = re.compile(r"\b[A-Z]\d{11}[\dA-Z]\b", re.ASCII)
LEFT_OUT = frozenset({"email", "endpoint"})
"""Never part of what is handed over: how a practitioner, or a system, is reached."""


async def gather(settings: ServiceSettings, upn: str) -> dict[str, Any]:
    """Read what the three services hold about a child; other children are left out.

    Raises:
        ValueError: this is no UPN; the text says what is wrong with it.
    """
    fault = fault_of(upn)
    if fault:
        raise ValueError(fault)
    found: dict[str, Any] = {"upn": upn, "made_at": utc_now()}
    others: set[str] = set()
    databases = [Database(settings.database_url, name) for name in ("ingest", "risk", "notify")]
    try:
        with tenants.everything():
            async with databases[0].reading() as db:
                found["registers_and_rolls"] = await ingest.held_of(db, upn)
                others = await ingest.names_beside(db, upn)
            async with databases[1].reading() as db:
                found["analysis"] = await risk.held_of(db, upn)
            async with databases[2].reading() as db:
                record = await record_of(db, upn)
                found["sharing"] = record.model_dump(mode="json", by_alias=True)
                found["practitioners"] = await _practitioners(db)
    finally:
        for database in databases:
            await database.close()
    plain = json.loads(json.dumps(found, default=str))
    plain["practitioners"] = _named(plain)
    return dict(redacted(plain, upn, others))


async def _practitioners(db: Any) -> dict[str, dict[str, Any]]:
    person = Practitioner
    columns = (person.id, person.name, person.roles, Agency.name.label("agency"))
    rows = await db.execute(select(*columns).join(Agency, Agency.id == person.agency))
    return {row.id: {"name": row.name, "roles": row.roles, "agency": row.agency} for row in rows}


def _named(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the practitioners who work with the child or were told of it."""
    sharing = found["sharing"]
    named = {one["recipient"] for one in (*sharing["alerts"], *sharing["disclosures"])}
    named |= {one["practitioner"] for one in sharing["involvements"]}
    return {id: person for id, person in found["practitioners"].items() if id in named}


def redacted(value: Any, upn: str, others: Collection[str]) -> Any:
    """Return JSON without other children and without what is in `LEFT_OUT`.

    Args:
        others: full names of other pupils.
    """
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if name not in LEFT_OUT}
        return {name: redacted(part, upn, others) for name, part in kept.items()}
    if isinstance(value, list):
        return [redacted(part, upn, others) for part in value]
    return _without_others(value, upn, others) if isinstance(value, str) else value


def _without_others(words: str, upn: str, others: Collection[str]) -> str:
    words = _UPN_LIKE.sub(lambda m: upn if m.group() == upn else OTHER_CHILD, words)
    for name in others:
        if name.lower() in words.lower():
            words = re.sub(re.escape(name), OTHER_CHILD, words, flags=re.IGNORECASE)
    return words


def as_page(found: Mapping[str, Any]) -> str:
    """Return what was gathered as a readable page of HTML, which needs nothing from elsewhere."""
    text = files("services").joinpath("subject_access.mako").read_text(encoding="utf-8")
    template = Template(text, default_filters=["h"], strict_undefined=True)
    meanings = {code.text: code.meaning for code in CODES}
    return str(template.render(found=found, meanings=meanings))


def write(found: Mapping[str, Any], out: Path) -> list[Path]:
    """Write `subject-access.json` and `subject-access.html`, readable by their owner alone."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {"json": json.dumps(found, indent=1, ensure_ascii=False) + "\n", "html": as_page(found)}
    paths = []
    for kind, text in texts.items():
        path = out / f"subject-access.{kind}"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
