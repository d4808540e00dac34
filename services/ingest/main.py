"""The ingest service: an app, its committer and its relay."""

from fastapi import FastAPI

from libs.common.outbox import Relay
from libs.common.retention import daily, erase_events
from libs.common.service import Running, build
from libs.common.settings import ServiceSettings
from services.ingest.accept import Committer
from services.ingest.api import ROUTERS
from services.ingest.retention import erase


def create_app(settings: ServiceSettings) -> FastAPI:
    """Build the service. Nothing is opened until its lifespan starts."""
    app = build("ingest", "Takes registers, the roll and the calendar of schools.", settings, _run)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    return app


async def _run(app: FastAPI, running: Running) -> None:
    relay = Relay(app.state.database, app.state.log, app.state.traces)
    app.state.relay = relay
    app.state.committer = Committer(app.state.database, relay.wake)
    running.start("relay", relay.run)
    running.start("committer", app.state.committer.run)
    running.start("retention", daily(erase, app.state.database, app.state.settings))
    running.start(
        "event retention",
        daily(erase_events(app.state.log), app.state.database, app.state.settings),
    )
