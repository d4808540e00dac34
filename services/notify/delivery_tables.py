"""Tables about messages: where recipients are reached, and what is sent there."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Instant
from services.notify.base import Base, Serial


class Endpoint(Base):
    """Where a practitioner, or an agency's system, is reached."""

    __tablename__ = "endpoint"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    practitioner: Mapped[str | None] = mapped_column(String(64), index=True)
    agency: Mapped[str | None] = mapped_column(String(64), index=True)
    channel: Mapped[str] = mapped_column(String(10), default="webhook")
    address: Mapped[str] = mapped_column("url", key="address")
    """A webhook's URL, an e-mail address, a telephone number, or a feed's topic.

    The column keeps the name that processes of the version before know it by.
    """
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted; a webhook's alone."""
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted; signs as well until `old_secret_until`."""
    old_secret_until: Mapped[datetime | None] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    """Since when its owner wants nothing sent; messages wait."""
    thin: Mapped[bool] = mapped_column(default=False)
    """Its messages bear ids alone; what they are about is fetched."""
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    """When its owner told what a challenge had said: whoever owns it receives there."""
    must_verify: Mapped[bool] = mapped_column(default=False)
    """No alert goes there before it is verified."""
    challenge: Mapped[str | None] = mapped_column(String(64))
    """SHA-256, in hex, of the last challenge sent."""
    challenge_until: Mapped[datetime | None] = mapped_column(Instant)
    last_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    """The number of the newest message to it."""
    late_told_at: Mapped[datetime | None] = mapped_column(Instant)
    """When its owner was last told elsewhere that its messages do not arrive."""


_PENDING_DIGESTS = text("state = 'pending' AND type = 'alert.digest'")


class Delivery(Base):
    """One message to one endpoint; `id` is its `webhook-id`, the same at every attempt."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_order", "endpoint", "upn", "state", "number"),
        # Not of the state alone: SQLite would find an endpoint's pending messages by that.
        Index("ix_delivery_due", "state", "next_attempt_at"),
        Index(
            "ix_delivery_digests",
            "endpoint",
            "number",
            sqlite_where=_PENDING_DIGESTS,
            postgresql_where=_PENDING_DIGESTS,
        ),
        UniqueConstraint("endpoint", "sequence"),
    )

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    endpoint: Mapped[UUID] = mapped_column(index=True)
    upn: Mapped[str | None] = mapped_column(String(13))
    type: Mapped[str] = mapped_column(String(30))
    body: Mapped[str]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    last_outcome: Mapped[str | None]
    pending_since: Mapped[datetime] = mapped_column(Instant)
    """When it was made, or asked for again: it is tried for a week from then."""
    log: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Each attempt: `at`, `status`, `fault`, `took_ms`."""
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    """From 1 without a gap among an endpoint's messages; null: made before there were numbers."""
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    """Until when a sender has it in hand."""
    leased_by: Mapped[str | None] = mapped_column(String(100))
    """That sender's name, if it has one."""
    last_status: Mapped[int | None]
    last_took_ms: Mapped[int | None]
    last_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    receipt: Mapped[str | None] = mapped_column(String(30))
    """What GOV.UK Notify said in the end of what it had taken."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """The trace of what it tells; it goes to our own collector, never to the receiver."""
