"""`firstbell docs`: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from services import governance


def docs(
    out: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Where to.")] = Path(
        "docs"
    ),
) -> None:
    """Write the impact assessment, transparency record and bells from what is in force."""
    for path in governance.write(out):
        typer.echo(f"Written: {path}")
