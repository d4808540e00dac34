"""Alembic's way in."""

from libs.common.migrations import run
from services.notify.tables import Base

run(Base.metadata)
