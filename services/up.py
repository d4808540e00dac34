"""All three services in one process on one port: the only place that sees more than one."""

from fastapi import FastAPI

from libs.common.settings import ServiceSettings
from services.ingest.main import create_app as create_ingest
from services.mounting import mount_all
from services.notify.main import create_app as create_notify
from services.risk.main import create_app as create_risk

SERVICES = {"ingest": create_ingest, "risk": create_risk, "notify": create_notify}


def create_app(settings: ServiceSettings) -> FastAPI:
    """Mount the three services under their prefixes, with the page at `/`."""
    return mount_all({f"/{name}": create(settings) for name, create in SERVICES.items()})
