"""`firstbell up` and `migrate`: all three services, and their tables."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Annotated

import typer

from libs.common import migrations
from libs.common.logs import configure
from libs.common.settings import ServiceSettings, SettingsRefused, embedded
from services import up as house
from services.cli.installation import DATA, Data
from services.cli.serving import Port, Service, run


def up(
    data: Data = DATA,
    host: str = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Run all three services in one process, with SQLite and the embedded log in one folder."""
    settings = embedded(data.resolve())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    _alone_in(settings.data_dir)
    configure(settings.log_level)
    asyncio.run(_migrate(settings, list(Service)))
    typer.echo(f"Firstbell is starting on http://{host}:{port} (data in {settings.data_dir})")
    run(lambda: house.create_app(settings), host, port, settings)


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
    try:
        asyncio.run(_migrate(settings, chosen))
        if app_role is not None:
            asyncio.run(_grant(settings, chosen, app_role))
    except SettingsRefused as error:
        raise typer.BadParameter(str(error), param_hint="environment") from None
    except migrations.TablesInUse as error:
        typer.echo(f"Not migrated: {error}. Find who holds them in pg_locks; try again.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Up to date: {', '.join(chosen)}")


def _alone_in(folder: Path) -> None:
    """Hold the folder until this process ends: two would go on fencing each other off."""
    held = os.open(folder / "up.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        typer.echo(
            f"Not started: another Firstbell runs on the data in {folder}. Stop it, or name "
            "another folder with --data.",
            err=True,
        )
        raise typer.Exit(1) from None


async def _migrate(settings: ServiceSettings, services: list[Service]) -> None:
    for service in services:
        await migrations.upgrade(service.value, settings.database_url)


async def _grant(settings: ServiceSettings, services: list[Service], role: str) -> None:
    for service in services:
        await migrations.grant(service.value, settings.database_url, role)
