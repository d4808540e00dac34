"""`firstbell subject-access`: parse, call, print."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services import subject_access as access
from services.cli.installation import DATA, Data, settings_of


def subject_access(
    upn: Annotated[str, typer.Argument(help="The child's Unique Pupil Number.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    data: Data = DATA,
) -> None:
    """Write all that is held about a child and was shared: as JSON, and as a page to be read."""
    settings = settings_of(data)
    try:
        found = asyncio.run(access.gather(settings, upn))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="UPN") from None
    for path in access.write(found, out):
        typer.echo(f"Written: {path}")
