"""`firstbell backtest` over a simulated school that was pushed through the real services."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from libs.common import migrations
from libs.common.settings import ServiceSettings
from libs.simulator import School, simulate
from services.cli import app
from services.simulate import lines_of
from services.up import create_app
from tests.conftest import serving, until

FIRST, HALF_TERM, LAST = date(2025, 9, 1), date(2025, 10, 31), date(2025, 12, 31)
NEW = '[sudden-change]\nneeded = 5.0\nversion = "2a"\n[persistent-absence]\npercent_min = 20\n'


async def push(client: httpx.AsyncClient, school: School, last_day: date = LAST) -> None:
    """Send a school's registers of the autumn term, and wait until risk has taken all of it."""
    path = f"/ingest/v1/schools/{school.urn}"
    (await client.put(f"{path}/roll", json={"pupils": list(school.roll)})).raise_for_status()
    (await client.put(f"{path}/calendar/2025", json=school.calendar)).raise_for_status()
    sent = await client.post(
        "/ingest/v1/registers?mode=backfill",
        content=b"".join(lines_of([school], FIRST, last_day)),
        headers={"content-type": "application/x-ndjson"},
    )
    last = json.loads(sent.text.splitlines()[-1])["receipt"]

    async def evaluated() -> bool:
        answer = await client.get(f"/ingest/v1/receipts/{last}")
        return bool(answer.json()["stage"] == "evaluated")

    await until(evaluated)


async def every_bell(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    bells: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/risk/v1/bells", params={"limit": "500", **cursor})).json()
        bells += page["items"]
        if page["next"] is None:
            return bells
        cursor = {"cursor": page["next"]}


@pytest.fixture
async def house(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> AsyncIterator[httpx.AsyncClient]:
    services = ("ingest", "risk", "notify")
    async with serving(create_app(settings), *services, settings=settings) as client:
        client.headers.update(token(scope="admin"))
        yield client


async def backtest(data: Path, *asked: str, rules: str | None = NEW) -> Result:
    options = ["--data", str(data), *asked]
    if rules is not None:
        (data / "new.toml").write_text(rules, encoding="utf-8")
        options += ["--rules", str(data / "new.toml")]
    for name, day in (("--from", FIRST), ("--to", LAST)):
        options += [] if name in asked else [name, str(day)]
    return await asyncio.to_thread(CliRunner().invoke, app, ["backtest", *options])


async def test_the_current_side_is_what_the_service_has_rung_and_the_new_side_differs(
    house: httpx.AsyncClient, tmp_path: Path
) -> None:
    (school,) = simulate(3, 2025, 1).schools
    await push(house, school)
    before = await every_bell(house)

    done = await backtest(tmp_path, "--json", str(tmp_path / "out.json"))

    assert done.exit_code == 0, done.output
    assert await every_bell(house) == before
    told = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    kinds = {row["name"]: row for row in told["rows"] if row["level"] == "kind"}
    rung = Counter(bell["kind"] for bell in before if bell["status"] != "withdrawn")
    compared = {kind: rung[kind] for kind in told["rules"] if rung[kind]}
    assert {kind: row["current"] for kind, row in kinds.items() if row["current"]} == compared
    assert compared["sudden-change"] > 0
    assert told["rules"]["sudden-change"] == {"current": "4", "new": "2a"}
    assert told["rules"]["persistent-absence"]["new"].startswith("3+")
    assert kinds["sudden-change"]["gained"] > 0
    assert kinds["persistent-absence"]["lost"] > 0


async def test_tables_show_the_kinds_the_year_groups_and_the_school(
    house: httpx.AsyncClient, tmp_path: Path
) -> None:
    schools = simulate(3, 2025, 2).schools
    for school in schools:
        await push(house, school, HALF_TERM)

    one = await backtest(tmp_path, "--urn", schools[0].urn, "--csv", "-")
    both = await backtest(tmp_path)

    rows = list(csv.DictReader(one.stdout.splitlines()))
    assert [row["name"] for row in rows if row["level"] == "school"] == [schools[0].urn]
    assert float(rows[0]["current_burden"]) > 0
    assert sum(int(row["new"]) for row in rows if row["level"] == "year group") == int(
        rows[0]["new"]
    )
    assert both.exit_code == 0, both.output
    for word in ("sudden-change", "2a", schools[0].urn, schools[1].urn, "to 10 %"):
        assert word in both.stdout
    upns = [pupil.upn for school in schools for pupil in school.pupils]
    assert not any(upn in one.stdout + both.stdout for upn in upns)


@pytest.mark.parametrize(
    ("asked", "rules", "told"),
    [
        ((), "", "the new rules are the rules in force: no bell can differ."),
        ((), "[lateness]\nneeded = 0", "[lateness] needed: 0 is out of range"),
        ((), NEW, "no marks are stored of any school"),
        (("--urn", "100009"), NEW, "no marks are stored of 100009; leave it out."),
        ((), None, "name changed rules with --rules, --rule-file or both"),
        (("--from", "2026-01-01"), NEW, "it lies after --to"),
        (("--rule-file", "/nowhere.py"), None, "/nowhere.py: there is no such file or folder"),
    ],
)
async def test_what_cannot_be_tested_is_told_of(
    asked: tuple[str, ...], rules: str | None, told: str, settings: ServiceSettings, tmp_path: Path
) -> None:
    await migrations.upgrade("risk", settings.database_url)

    done = await backtest(tmp_path, *asked, rules=rules)

    assert done.exit_code != 0
    assert told in " ".join(done.output.replace("│", " ").split())


async def test_an_installation_that_is_not_there_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = await backtest(tmp_path)
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db")
    empty = await backtest(tmp_path)

    assert "FIRSTBELL_DATABASE_URL" in nowhere.output
    assert "no such table: book. Is it there, and migrated?" in empty.output
