"""Alembic's way in."""

from libs.common import consumer, outbox  # noqa: F401  (they declare the common tables)
from libs.common.migrations import run
from services.ingest.tables import Base

run(Base.metadata)
