"""Alembic's way in."""

from libs.common.migrations import run
from services.risk.tables import Base

run(Base.metadata)
