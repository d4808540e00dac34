"""`firstbell published load`, and the Department's figures beside a school's and an area's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from libs.common.settings import ServiceSettings
from services.cli import app
from tests.service.areas_app import PRIMARY, SECONDARY, UNKNOWN, House, running
from tests.unit import databases
from tests.unit.department import WEEK, YEAR

WEST = "E92000001,England,E12000009,South West"
BRISTOL, BATH, DEVON, LEEDS = (
    f"Local authority,{place}"
    for place in (
        f"{WEST},E06000023,Bristol,801",
        f"{WEST},E06000022,Bath,800",
        f"{WEST},E10000008,Devon,878",
        "E92000001,England,E12000003,Yorkshire,E08000035,Leeds,383",
    )
)
ENGLAND, REGION = "National,E92000001,England,,,,,", f"Regional,{WEST},,,"
RATES = {ENGLAND: 5.2, REGION: 5.4, BRISTOL: 5.6, BATH: 5, DEVON: 5.5, LEEDS: 9}


def year(rates: dict[str, Any], time: str = "202526", phase: str = "Primary") -> str:
    lines = [
        f"{time},{area},{phase},1,{rate},,,{rate},Academic year" for area, rate in rates.items()
    ]
    return "\n".join([YEAR, *lines]) + "\n"


def week(rates: dict[str, Any], number: int = 38) -> str:
    lines = [f"2026,Week {number},{area},Primary,{rate},," for area, rate in rates.items()]
    return "\n".join([WEEK, *lines]) + "\n"


@pytest.fixture(params=databases.BOTH)
async def house(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: ServiceSettings,
    token: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    async with running(request.param, tmp_path, settings, token) as made:
        url = made.app.state.settings.database_url
        monkeypatch.setenv("FIRSTBELL_DATABASE_URL", url)
        yield made


async def load(folder: Path, *texts: str) -> Result:
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"file{number}.csv")
        files[-1].write_text(text, encoding="utf-8")
    asked = ["published", "load", "--data", str(folder), *map(str, files)]
    return await asyncio.to_thread(CliRunner().invoke, app, asked)


async def lines(house: House, path: str, **query: str) -> list[dict[str, Any]]:
    body = await house.ask(path, query)
    return list(body["published"])


async def test_a_school_is_held_beside_its_phase_its_authority_and_the_others(
    house: House, tmp_path: Path
) -> None:
    done = await load(tmp_path, year(RATES), week({ENGLAND: 4.9, REGION: 9, BRISTOL: "c"}))
    assert done.exit_code == 0, done.output
    assert "file0.csv: 6 line(s) of figures" in done.output

    (line,) = await lines(house, f"/v1/schools/{PRIMARY}/attendance")

    assert (line["phase"], line["academic_year"]) == ("primary", "2025-26")
    rates = [line[name]["absence_rate"] for name in ("national", "region", "authority")]
    assert rates == [0.052, 0.054, 0.056]
    assert line["neighbours"]["region"] == "South West"
    assert line["neighbours"]["absence_rate"] == {
        "rank": 3, "authorities": 3, "lower_quartile": 0.05125, "median": 0.0525,
        "upper_quartile": 0.05375, "from_median": 0.0035,
    }  # fmt: skip
    assert line["weeks"] == [{"starts_on": "2026-09-14", "national": 0.049, "authority": None}]
    assert await lines(house, f"/v1/schools/{SECONDARY}/attendance") == []


async def test_where_the_authority_is_not_known_only_england_is_beside(
    house: House, tmp_path: Path
) -> None:
    total = year(RATES, phase="Total")
    await load(tmp_path, total, week({ENGLAND: 4.9, REGION: 9}).replace("Primary", "Total"))

    (line,) = await lines(house, f"/v1/schools/{UNKNOWN}/attendance")

    assert line["national"]["absence_rate"] == 0.052
    assert (line["region"], line["authority"], line["neighbours"]) == (None, None, None)
    assert line["weeks"] == [{"starts_on": "2026-09-14", "national": 0.049, "authority": None}]


async def test_a_trust_of_two_authorities_is_held_beside_england(
    house: House, tmp_path: Path
) -> None:
    await load(tmp_path, year(RATES))
    path = "/v1/trusts/TR1/attendance"
    assert (await lines(house, path))[0]["authority"]["name"] == "Bristol"

    trust = {"id": "TR1", "name": "Made-up Trust"}
    await house.place(SECONDARY, "secondary", la="800", trust=trust)

    (line,) = await lines(house, path)
    assert (line["authority"], line["national"]["name"]) == (None, "England")


async def test_the_latest_year_up_to_the_one_asked_for_is_beside(
    house: House, tmp_path: Path
) -> None:
    await load(tmp_path, year({ENGLAND: 5}, "202425"), year({ENGLAND: 6}, "202627"))
    path = "/v1/areas/801/attendance"

    for day, label in (("2026-07-31", "2024-25"), ("2026-08-01", "2026-27")):
        (line,) = await lines(house, path, to=day)
        assert line["academic_year"] == label
    assert await lines(house, path, to="2024-07-31") == []


async def test_a_newer_edition_replaces_and_the_same_one_changes_nothing(
    house: House, tmp_path: Path
) -> None:
    path = "/v1/areas/801/attendance"
    await load(tmp_path, year(RATES))
    before = await lines(house, path)

    await load(tmp_path, year(RATES))
    assert await lines(house, path) == before

    await load(tmp_path, "\ufeff" + year({BRISTOL: 6}))
    (line,) = await lines(house, path)
    assert (line["authority"]["absence_rate"], line["region"]) == (0.06, before[0]["region"])


async def test_of_a_file_with_a_fault_nothing_is_kept_and_the_place_is_told(
    house: House, tmp_path: Path
) -> None:
    done = await load(tmp_path, year(RATES), year({ENGLAND: 6} | {BRISTOL: "many"}))

    assert done.exit_code == 1
    assert "file1.csv: line 3: overall_absence_perc: 'many' is no percentage" in done.output
    (line,) = await lines(house, f"/v1/schools/{PRIMARY}/attendance")
    assert line["national"]["absence_rate"] == 0.052


async def test_a_database_that_is_not_migrated_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db")

    done = await load(tmp_path, year(RATES))

    assert done.exit_code == 1
    assert "no such table: published. Is it there, and migrated?" in done.output


async def test_a_database_that_is_away_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "postgresql+asyncpg://postgres@127.0.0.1:1/firstbell"
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", nowhere)

    done = await load(tmp_path, year(RATES))

    assert done.exit_code == 1
    assert "Not loaded: " in done.output


async def test_a_file_that_is_no_text_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db")
    path = tmp_path / "figures.xlsx"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    asked = ["published", "load", "--data", str(tmp_path / "none"), str(path)]

    done = await asyncio.to_thread(CliRunner().invoke, app, asked)

    assert done.exit_code == 1
    assert "figures.xlsx: not UTF-8 text" in done.output
