"""What an operator asks of notify: what nobody has answered, and which endpoints fail."""

from datetime import datetime

from prometheus_client import Counter
from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.operation import Figures
from libs.common.school_day import utc_now
from services.notify.tables import Alert, Delivery

DECISIONS = Counter(
    "firstbell_decisions_total",
    "Decisions who may know of a bell, one a recipient; made again after a crash, counted again",
    ["decision"],
)
ENDPOINTS_NAMED_MAX = 100
"""Endpoints named as failing, those with most messages first; `deliveries` counts all."""


async def measure(db: AsyncConnection, figures: Figures) -> None:
    """Add notify's figures."""
    await _alerts(db, figures, utc_now())
    await _deliveries(db, figures)


async def _alerts(db: AsyncConnection, figures: Figures, now: datetime) -> None:
    unanswered = Alert.status == literal_column("'raised'")  # in so many words, as in its index
    by_kind = select(Alert.kind, func.count(), func.min(Alert.raised_at)).where(unanswered)
    found = (await db.execute(by_kind.group_by(Alert.kind))).all()
    counts = [(kind, count) for kind, count, _ in found]
    meaning = "Alerts that nobody has answered"
    figures.add_each("alerts_unacknowledged", meaning, "kind", counts)
    oldest_s = max(((now - oldest).total_seconds() for *_, oldest in found), default=0.0)
    meaning = "How long the oldest of them has waited"
    figures.add("alerts_unacknowledged_oldest_seconds", meaning, oldest_s)
    overdue = await db.scalar(select(func.count()).where(unanswered, Alert.answer_by < now))
    figures.add("alerts_overdue", "Alerts not answered in their route's time", overdue or 0)


async def _deliveries(db: AsyncConnection, figures: Figures) -> None:
    by_state = dict.fromkeys(("pending", "dead"), 0)
    states = select(Delivery.state, func.count()).where(Delivery.state.in_(by_state))
    for state, count in await db.execute(states.group_by(Delivery.state)):
        by_state[state] = count
    figures.add_each("deliveries", "Messages not delivered", "state", by_state.items())
    failing = (
        select(Delivery.endpoint, func.count())
        .where(Delivery.state == "pending", Delivery.attempts > 0)
        .group_by(Delivery.endpoint)
        .order_by(func.count().desc(), Delivery.endpoint)
        .limit(ENDPOINTS_NAMED_MAX)
    )
    counts = [(str(endpoint), count) for endpoint, count in await db.execute(failing)]
    meaning = "Messages that an endpoint has failed to take, and will be sent again"
    figures.add_each("deliveries_failing", meaning, "endpoint", counts)
