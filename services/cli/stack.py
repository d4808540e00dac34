"""`firstbell up`, `serve` and `migrate`: the services themselves."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from libs.common import migrations
from libs.common.logs import configure
from libs.common.settings import ServiceSettings, embedded
from services import up as house
from services.cli.installation import DATA, Data
from services.risk.catalogue import RulesRefused

Port = Annotated[int, typer.Option(min=0, max=65535)]


class Service(StrEnum):
    """One of the three."""

    ingest = "ingest"
    risk = "risk"
    notify = "notify"


def up(
    data: Data = DATA,
    host: str = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Run all three services in one process, with SQLite and the embedded log in one folder."""
    settings = embedded(data.resolve())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configure(settings.log_level)
    asyncio.run(_migrate(settings, list(Service)))
    typer.echo(f"Firstbell is starting on http://{host}:{port} (data in {settings.data_dir})")
    _run(_built(lambda: house.create_app(settings)), host, port)


def serve(
    service: Service,
    host: str = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Run one service from the settings in `FIRSTBELL_…` variables."""
    settings = ServiceSettings.from_environment()
    configure(settings.log_level)
    create = house.SERVICES[service]
    _run(_built(lambda: house.mount_all({f"/{service}": create(settings)})), host, port)


def migrate(
    services: Annotated[list[Service] | None, typer.Argument(help="All, if none is named.")] = None,
    app_role: Annotated[
        str | None,
        typer.Option(help="PostgreSQL role that the services run as; it owns nothing."),
    ] = None,
) -> None:
    """Bring the tables of each service up to date."""
    chosen = services or list(Service)
    settings = ServiceSettings.from_environment()
    asyncio.run(_migrate(settings, chosen))
    if app_role is not None:
        asyncio.run(_grant(settings, chosen, app_role))
    typer.echo(f"Up to date: {', '.join(chosen)}")


def _built(build: Callable[[], FastAPI]) -> FastAPI:
    try:
        return build()
    except RulesRefused as error:
        typer.echo(f"Not started: {error}", err=True)
        raise typer.Exit(1) from None


def _run(application: FastAPI, host: str, port: int) -> None:
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_config=None,  # as libs.common.logs has set it up: uvicorn's would write errors' words
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
    )


async def _migrate(settings: ServiceSettings, services: list[Service]) -> None:
    for service in services:
        await migrations.upgrade(service.value, settings.database_url)


async def _grant(settings: ServiceSettings, services: list[Service], role: str) -> None:
    for service in services:
        await migrations.grant(service.value, settings.database_url, role)
