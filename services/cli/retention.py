"""`firstbell retention`: what the services do once a day, when an operator says so."""

import asyncio

import typer

from libs.common import tenants
from libs.common.database import Database
from libs.common.retention import Erase, Erased
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from services.cli.installation import DATA, Data, settings_of
from services.ingest import retention as ingest
from services.notify import retention as notify
from services.risk import retention as risk

retention_app = typer.Typer(no_args_is_help=True, help="What is kept, and for how long.")
# Notify first: of a bell that goes from risk's tables nobody is left to be told.
ERASE: dict[str, Erase] = {"notify": notify.erase, "risk": risk.erase, "ingest": ingest.erase}


@retention_app.callback()
def retention() -> None:
    """Keep `run` a command of its own, though it is the only one."""


@retention_app.command()
def run(
    data: Data = DATA,
) -> None:
    """Erase now what is older than the `FIRSTBELL_RETAIN_…` settings let it be."""
    for service, erased in asyncio.run(_erased(settings_of(data))).items():
        told = ", ".join(f"{number} {name}" for name, number in erased.items())
        typer.echo(f"{service}: {told}")


async def _erased(settings: ServiceSettings) -> dict[str, Erased]:
    found = {}
    with tenants.everything():
        for service, erase in ERASE.items():
            database = Database(settings.database_url, service)
            try:
                found[service] = await erase(database, settings, london_day(utc_now()))
            finally:
                await database.close()
    return found
