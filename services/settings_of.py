"""Which settings a command works with."""

from pathlib import Path

from libs.common.settings import ServiceSettings
from services.up import embedded

DATA = Path("data")


def settings_of(data: Path) -> ServiceSettings:
    """Return an embedded installation's settings if the folder is one, else the environment's."""
    if (data / "risk.db").exists():
        return embedded(data.resolve())
    return ServiceSettings.from_environment()
