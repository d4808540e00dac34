"""Notify's calls."""

from fastapi import APIRouter

from services.notify.api import alerts, directory, disclosures, endpoints, record, sharing

router = APIRouter(prefix="/v1")
for part in (directory, endpoints, alerts, sharing, disclosures, record):
    router.include_router(part.router)
