"""Notify's calls."""

from fastapi import APIRouter

from services.notify.api import alerts, directory, disclosures, endpoints

router = APIRouter(prefix="/v1")
for part in (directory, endpoints, alerts, disclosures):
    router.include_router(part.router)
