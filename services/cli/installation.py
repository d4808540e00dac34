"""Which installation a command is about: a folder's, or the one that the environment names."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from libs.common.settings import PREFIX, ServiceSettings, UnknownSetting, embedded

Data = Annotated[
    Path,
    typer.Option(help="Folder of an embedded installation.", envvar=f"{PREFIX}DATA_DIR"),
]
DATA = Path("data")


def settings_of(data: Path) -> ServiceSettings:
    """Return the settings of the embedded installation in a folder, or those in the environment.

    Raises:
        typer.BadParameter: there is neither.
    """
    if (data / "risk.db").exists():
        return embedded(data.resolve())
    try:
        return ServiceSettings.from_environment()
    except UnknownSetting as error:
        raise typer.BadParameter(str(error), param_hint="environment") from None
    except ValidationError as error:
        # Which settings, and not what they hold: a database's URL has a password.
        names = ", ".join(
            f"FIRSTBELL_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()
        )
        why = f"no risk.db in {data}; and of the environment: {names}"
        raise typer.BadParameter(why, param_hint="--data") from None
