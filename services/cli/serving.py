"""`firstbell serve`, and what `up` shares with it: an app in this process until it is told to end.

`serve` imports its one service alone, so that after a kill it serves a second or two sooner.
"""

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from os import environ
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from libs.common.logs import configure
from libs.common.settings import ServiceSettings, SettingsRefused
from libs.common.tls import check, server_options
from services.cli.uncollected import uncollected
from services.mounting import mount_all

Port = Annotated[int, typer.Option(min=0, max=65535)]

DRAINS_WITHIN_S = 6
"""Seconds that requests have to end after SIGTERM: with what background work needs, within 10."""


class Service(StrEnum):
    """One of the three."""

    ingest = "ingest"
    risk = "risk"
    notify = "notify"


def serve(
    service: Service,
    host: str = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Run one service from the settings in `FIRSTBELL_…` variables."""
    # NumPy's linear algebra, of which no service asks anything, begins with a thread for each core,
    # and each spins for a tenth of a second.
    environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings = ServiceSettings.from_environment()
    configure(settings.log_level)
    run(lambda: _only(service, settings), host, port, settings)


def _only(service: Service, settings: ServiceSettings) -> FastAPI:
    create = import_module(f"services.{service}.main").create_app
    return mount_all({f"/{service}": create(settings)})


def run(build: Callable[[], FastAPI], host: str, port: int, settings: ServiceSettings) -> None:
    """Build an app and serve it; say so, and end, where the settings cannot be used."""
    try:
        check(settings)
        with uncollected():
            application = build()
    except SettingsRefused as error:
        typer.echo(f"Not started: {error}", err=True)
        raise typer.Exit(1) from None
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_config=None,  # as libs.common.logs has set it up: uvicorn's would write errors' words
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=DRAINS_WITHIN_S,
        **server_options(settings),
    )
