"""Notify's calls."""

from fastapi import APIRouter

from services.notify.api import alerts, directory, disclosures, endpoints, record

router = APIRouter(prefix="/v1")
for part in (directory, endpoints, alerts, disclosures, record):
    router.include_router(part.router)
