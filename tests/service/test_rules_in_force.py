"""Rules' settings in the real risk service: what rings, under which version, and what is told."""

import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from libs.common.school_day import Session
from libs.common.settings import ServiceSettings
from services.cli import app
from services.risk.catalogue import RulesRefused
from services.risk.main import create_app
from tests.conftest import serving
from tests.service.test_risk import ADA, MONDAY, NOW, Risk, register

LOWER = '[ten-days-unauthorised]\ndays_min = 3\nversion = "agreed-2026"\n'


@pytest.fixture
def running(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> Callable[[str], Any]:
    """Return what runs risk on the same tables with rules set so."""

    @asynccontextmanager
    async def run(rules: str) -> AsyncIterator[Risk]:
        file = settings.data_dir / "rules.toml"
        file.write_text(rules, encoding="utf-8")
        own = settings.model_copy(update={"rules": file})
        service = create_app(own)
        async with serving(service, "risk", settings=own) as client:
            yield Risk(service, client, token(scope="admin"))

    return run


async def push(risk: Risk, codes: str, start: date = MONDAY) -> None:
    days = [start + timedelta(n) for n in range(len(codes))]
    await risk.tell(
        *(
            register({ADA: code}, day=day, session=session)
            for day, code in zip(days, codes, strict=True)
            for session in Session
        )
    )


async def bell_of(risk: Risk) -> dict[str, Any]:
    (bell,) = await risk.bells(kind="ten-days-unauthorised")
    return bell


async def test_a_bell_tells_the_version_of_the_parameters_in_force_and_so_does_the_catalogue(
    running: Callable[[str], Any],
) -> None:
    async with running(LOWER) as risk:
        await push(risk, "OOO")

        bell = await bell_of(risk)
        items = (await risk.client.get("/v1/rules", headers=risk.headers)).json()["items"]

    assert bell["rule"]["version"] == "agreed-2026"
    rule = next(one for one in items if one["kind"] == "ten-days-unauthorised")
    assert (rule["version"], rule["parameters"]) == ("agreed-2026", {"days_min": 3})
    assert rule["clears"].startswith("A session attended")
    assert rule["severities"] == [
        {"severity": "warning", "asks": "Warning: look at it the same morning."}
    ]


async def test_a_bell_that_a_new_version_does_not_support_is_withdrawn_and_says_why(
    running: Callable[[str], Any],
) -> None:
    async with running(LOWER) as risk:
        await push(risk, "OOO")
    async with running("") as risk:
        await push(risk, "/", MONDAY + timedelta(3))

        bell = await bell_of(risk)

    assert bell["status"] == "withdrawn"
    assert bell["rule"]["version"] == "agreed-2026"
    assert bell["explanation"] == (
        "Withdrawn: it rang under version agreed-2026 of its rule; under version 1, now in use, "
        "the register does not support it."
    )


async def test_a_bell_keeps_the_version_that_rang_it_when_another_clears_it(
    running: Callable[[str], Any],
) -> None:
    async with running(LOWER) as risk:
        await push(risk, "OOO")
    async with running(LOWER.replace("agreed-2026", "next").replace("3", "2")) as risk:
        await push(risk, "/", MONDAY + timedelta(3))

        bell = await bell_of(risk)

    assert (bell["status"], bell["rule"]["version"]) == ("cleared", "agreed-2026")


async def test_bells_of_a_rule_that_is_switched_off_are_withdrawn_unless_they_had_cleared(
    running: Callable[[str], Any],
) -> None:
    off = "[ten-days-unauthorised]\noff = true\n"
    async with running(LOWER) as risk:
        await push(risk, "OOO")
    async with running(off) as risk:
        await push(risk, "O", MONDAY + timedelta(3))
        withdrawn = await bell_of(risk)
    async with running(LOWER) as risk:
        await push(risk, "/", MONDAY + timedelta(4))
        cleared = await bell_of(risk)
    async with running(off) as risk:
        await push(risk, "/", MONDAY + timedelta(7))
        still = await bell_of(risk)

    assert withdrawn["status"] == "withdrawn"
    assert "the rule that rang this bell is switched off" in withdrawn["explanation"]
    assert cleared["status"] == "cleared"
    assert still == cleared


async def test_the_watch_tells_nobody_of_a_silent_school_when_that_rule_is_off(
    running: Callable[[str], Any],
) -> None:
    async with running("[register-missing]\noff = true\n") as risk:
        await push(risk, "/")
        async with risk.app.state.database.transaction() as db:
            evaluator = risk.app.state.watch.evaluator
            await evaluator.take_silence(db, "100000", MONDAY.toordinal() * 2 + 2, NOW)

        assert await risk.bells(kind="register-missing") == []


def test_a_service_with_rules_that_cannot_be_used_does_not_start_and_says_why(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settings.data_dir / "rules.toml"
    file.write_text("[latenes]\n", encoding="utf-8")
    monkeypatch.setenv("FIRSTBELL_RULES", str(file))

    done = CliRunner().invoke(app, ["up", "--data", str(settings.data_dir)])

    with pytest.raises(RulesRefused):
        create_app(settings.model_copy(update={"rules": file}))
    assert done.exit_code == 1
    assert f"Not started: {file}: [latenes]: there is no such rule." in done.output


def test_a_second_stack_on_the_same_folder_does_not_start_and_says_why(
    settings: ServiceSettings,
) -> None:
    with (settings.data_dir / "up.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        done = CliRunner().invoke(app, ["up", "--data", str(settings.data_dir)])

    assert done.exit_code == 1
    assert "Not started: another Firstbell runs on the data in" in done.output
