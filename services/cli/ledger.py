"""`firstbell ledger`: the proof of the ledger without the service, e.g. for an auditor."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from libs.common import tenants
from libs.common.database import Database
from libs.common.settings import ServiceSettings
from services.cli.installation import DATA, Data, settings_of
from services.notify.checkpoints import Seal, file_of
from services.notify.proof import Verdict, prove

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger of disclosures.")


@ledger_app.callback()
def ledger() -> None:
    """Keep `verify` a command of its own, though it is the only one."""


@ledger_app.command()
def verify(
    data: Data = DATA,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Checkpoints kept elsewhere; else the settings' file."
        ),
    ] = None,
) -> None:
    """Read the whole ledger in the database and say whether it is whole; if not, end with 1."""
    settings = settings_of(data)
    verdict = asyncio.run(_verdict(settings, checkpoints or file_of(settings)))
    if verdict.bad is not None:
        typer.echo(f"NOT WHOLE from record {verdict.bad.first} on: {verdict.bad.why}", err=True)
        raise typer.Exit(1)
    typer.echo(f"Whole: {verdict.records} record(s), {verdict.checkpoints} checkpoint(s)")


async def _verdict(settings: ServiceSettings, file: Path) -> Verdict:
    database = Database(settings.database_url, "notify")
    try:
        with tenants.everything():
            return await prove(database, Seal(settings), file)
    finally:
        await database.close()
