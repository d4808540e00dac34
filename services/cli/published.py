"""`firstbell published`: the Department's published attendance."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services import published as publishing
from services.cli.installation import DATA, Data, settings_of

published_app = typer.Typer(no_args_is_help=True, help="The Department's published attendance.")


@published_app.command("load")
def load_published(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...")],
    data: Data = DATA,
) -> None:
    """Load the Department's weekly and year-to-date CSV files; a newer edition replaces an older.

    They are the data files of "Pupil attendance in schools" on explore-education-statistics.
    """
    console = Console(stderr=True)
    try:
        loaded = asyncio.run(publishing.load(settings_of(data), files, console))
    except publishing.NotLoaded as error:
        typer.echo(f"Not loaded: {error}", err=True)
        raise typer.Exit(1) from None
    for path, count in loaded.items():
        typer.echo(f"{path}: {count} line(s) of figures")
