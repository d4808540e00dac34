"""How a rule's bells were judged by those who closed their alerts: for the rule catalogue.

The figures are the same for every caller, so what rests on few children is null, as in notify's
figures of impact.
"""

from collections import defaultdict
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from libs.common.events import BellJudged
from libs.common.few import is_enough
from services.risk.tables import JudgedAlert, StoredBell

Count = int | None


class Judged(BaseModel):
    """How the bells of one version of a rule were judged, by those who closed their alerts.

    Bells that were withdrawn do not count. A figure that rests on fewer than 5 children, but some,
    is null.
    """

    version: str
    judged: Count = Field(description="Bells of which some alert was closed.")
    false_bells: Count = Field(description="Those of them that somebody closed as a false bell.")
    false_share: float | None = Field(description="Of those judged, from 0 to 1.")


async def save(db: AsyncConnection, event: BellJudged) -> None:
    """Keep what was said of a bell; of an alert closed again, what was said last."""
    columns = JudgedAlert.__table__.columns.keys()
    await upsert(db, JudgedAlert, [{name: getattr(event, name) for name in columns}])


async def by_kind(db: AsyncConnection) -> dict[str, list[Judged]]:
    """Return what was said of the bells that are held, by kind, and of each by version."""
    found = defaultdict(list)
    for row in await db.execute(_COUNTED):
        found[row.kind].append(_judged(row))
    return dict(found)


def _judged(row: Any) -> Judged:
    enough = is_enough(row.children)
    split = enough and is_enough(row.children_false) and is_enough(row.children_true)
    return Judged(
        version=row.version,
        judged=row.judged if enough else None,
        false_bells=row.false_bells if split else None,
        false_share=round(row.false_bells / row.judged, 4) if split else None,
    )


_BELLS = (
    select(
        JudgedAlert.kind,
        JudgedAlert.version,
        func.max(case((JudgedAlert.is_false, 1), else_=0)).label("is_false"),
        # A school's own bells are about no child, and count as if about one.
        func.coalesce(StoredBell.upn, StoredBell.urn).label("about"),
    )
    .join(StoredBell, StoredBell.id == JudgedAlert.bell)
    .where(StoredBell.status != "withdrawn")
    .group_by(JudgedAlert.kind, JudgedAlert.version, StoredBell.id)
    .subquery()
)
_FALSE = _BELLS.c.is_false == 1
_COUNTED = (
    select(
        _BELLS.c.kind,
        _BELLS.c.version,
        func.count().label("judged"),
        func.sum(_BELLS.c.is_false).label("false_bells"),
        func.count(_BELLS.c.about.distinct()).label("children"),
        func.count(case((_FALSE, _BELLS.c.about)).distinct()).label("children_false"),
        func.count(case((~_FALSE, _BELLS.c.about)).distinct()).label("children_true"),
    )
    .group_by(_BELLS.c.kind, _BELLS.c.version)
    .order_by(_BELLS.c.kind, _BELLS.c.version)
)
