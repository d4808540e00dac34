"""A new rule is one file: the running service rings it, and a backtest of it runs."""

import asyncio
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from libs.common.settings import ServiceSettings
from services.cli import app
from services.risk.catalogue import RULES, discover
from services.risk.main import create_app
from tests.conftest import serving
from tests.service.test_risk import ADA, BEN, MONDAY, Risk, register

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file in it: the rule that docs/rules.md shows."""
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "mornings.py").write_text(shown, encoding="utf-8")
    return folder


async def push_mornings(risk: Risk, count: int) -> None:
    days = [MONDAY + timedelta(n // 5 * 7 + n % 5) for n in range(count)]
    await risk.tell(*(register({ADA: "I", BEN: "/"}, day=day) for day in days))


async def test_one_file_in_the_folder_that_the_setting_names_rings_in_the_service(
    folder: Path, settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    settings = settings.model_copy(update={"rules_dir": folder})
    service = create_app(settings)
    async with serving(service, "risk", settings=settings) as client:
        risk = Risk(service, client, token(scope="admin"))

        await push_mornings(risk, 5)

        (bell,) = await risk.bells(kind="mornings-missed")
        shown = (await client.get("/v1/rules", headers=risk.headers)).json()["items"]
    assert (bell["upn"], bell["status"], bell["raised_on"]) == (ADA, "ringing", "2026-09-18")
    assert bell["rule"] == {
        "name": "mornings-missed", "version": "1", "source": "The school's own agreement",
    }  # fmt: skip
    assert bell["explanation"].startswith("Missed 5 mornings this school year.")
    assert len(bell["evidence"]["sessions"]) == 5
    assert {rule["kind"]: rule["parameters"] for rule in shown}["mornings-missed"] == {
        "mornings_min": 5
    }
    assert len(shown) == len(RULES) + 1 == len(discover([folder]))


async def test_a_backtest_of_one_file_runs_with_and_without_parameters_of_its_own(
    folder: Path, settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    data = settings.data_dir
    service = create_app(settings)
    async with serving(service, "risk", settings=settings) as client:
        await push_mornings(Risk(service, client, token(scope="admin")), 8)
    (data / "new.toml").write_text("[mornings-missed]\nmornings_min = 9\n", encoding="utf-8")
    asked = ["backtest", "--data", str(data), "--from", "2026-09-01", "--to", str(date.max)]
    asked += ["--rule-file", str(folder / "mornings.py"), "--csv", "-"]

    alone = await asyncio.to_thread(CliRunner().invoke, app, asked)
    asked += ["--rules", str(data / "new.toml")]
    stricter = await asyncio.to_thread(CliRunner().invoke, app, asked)

    gained = "kind,mornings-missed,0,1,1,0"
    assert (alone.exit_code, gained in alone.stdout) == (0, True), alone.output
    assert (stricter.exit_code, "kind," in stricter.stdout) == (0, False), stricter.stdout
