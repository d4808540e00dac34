"""What an operator asks of risk: whose registers are missing, and which bells ring."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.operation import Figures, Measure
from libs.common.retention import start_of
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from services.risk import store
from services.risk.tables import StoredBell
from services.risk.watch import hours_of, latest_due

SCHOOLS_NAMED_MAX = 100
"""Schools named as silent; `registers_missing` counts them all. When more are silent at once the
fault is not theirs, and a line for each of a region's schools would cost Prometheus dearly."""


def measuring(settings: ServiceSettings, now: Callable[[], datetime] = utc_now) -> Measure:
    """Return what adds risk's figures."""

    async def measure(db: AsyncConnection, figures: Figures) -> None:
        await _registers(db, figures, settings, now())
        await _bells(db, figures, now())

    return measure


async def _registers(
    db: AsyncConnection, figures: Figures, settings: ServiceSettings, now: datetime
) -> None:
    due = latest_due(now, hours_of(settings))
    expected, silent = await store.schools_expected(db, due) if due is not None else (0, [])
    meaning = "Schools whose register for the latest session due is expected"
    figures.add("registers_expected", meaning, expected)
    figures.add("registers_missing", "Those of them whose register has not come", len(silent))
    named = [(urn, 1) for urn in silent[:SCHOOLS_NAMED_MAX]]
    figures.add_each("register_missing", "A school whose register has not come", "urn", named)


async def _bells(db: AsyncConnection, figures: Figures, now: datetime) -> None:
    ringing = select(StoredBell.kind, func.count()).where(
        StoredBell.status == literal_column("'ringing'")
    )
    counts = [(kind, count) for kind, count in await db.execute(ringing.group_by(StoredBell.kind))]
    figures.add_each("bells_ringing", "Bells that ring", "kind", counts)
    today = StoredBell.raised_at >= start_of(london_day(now))
    raised = select(StoredBell.kind, func.count()).where(today)
    counts = [(kind, count) for kind, count in await db.execute(raised.group_by(StoredBell.kind))]
    figures.add_each("bells_raised_today", "Bells that began to ring today", "kind", counts)
