"""Ingest's routes."""

from services.ingest.api import bulk, history, registers, roll

ROUTERS = (bulk.router, registers.router, history.router, roll.router)
