"""All that is held about a child, gathered from the three services; other children left out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from libs.common.codes import CODES
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from services import subject_access as access
from services.cli import app as cli
from services.up import create_app
from tests.conftest import serving, until
from tests.service.notify_app import ADA, AGENCIES, BEN, PRACTITIONERS, URN, works

MEANING = next(code.meaning for code in CODES if code.text == "N")
TODAY = london_day(utc_now())
PATH = f"/ingest/v1/schools/{URN}/registers/{TODAY}/am"


def pupil(upn: str, given_name: str, family_name: str) -> dict[str, Any]:
    return {
        "upn": upn, "given_name": given_name, "family_name": family_name,
        "date_of_birth": "2014-02-03", "year_group": "7", "entered_on": "2020-09-01",
    }  # fmt: skip


def marks(code: str) -> dict[str, Any]:
    comment = f"seen with ben BRIGHT, {BEN}, <b>at the shops</b>"
    ada = {"upn": ADA, "code": code, "comment": comment}
    return {"marks": [ada, {"upn": BEN, "code": "/", "comment": "Ben's own comment"}]}


@pytest.fixture
async def client(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> AsyncIterator[httpx.AsyncClient]:
    """All three services; Sam, Ada's worker, has been told of her absence, and has acted."""
    everything = {
        **{f"/notify/v1/agencies/{name}": body for name, body in AGENCIES.items()},
        **{
            f"/notify/v1/practitioners/{name}": body | {"email": f"{name}@example.org"}
            for name, body in PRACTITIONERS.items()
        },
        f"/notify/v1/children/{ADA}/involvements": {"involvements": [works()]},
        f"/ingest/v1/schools/{URN}/roll": {
            "pupils": [pupil(ADA, "Ada", "Example"), pupil(BEN, "Ben", "Bright")]
        },
        PATH: marks("I"),
    }
    app = create_app(settings)
    async with serving(app, "ingest", "risk", "notify", settings=settings) as client:
        client.headers.update(token(scope="admin"))
        for path, body in everything.items():
            assert (await client.put(path, json=body)).is_success, path
        assert (await client.put(PATH, json=marks("N"))).is_success

        async def told() -> list[dict[str, Any]]:
            found = (await client.get("/notify/v1/alerts")).json()["items"]
            return [one for one in found if one["kind"] == "unexplained-absence"]

        for alert in await until(told):
            note = {"action": "visited", "note": "Ben Bright was there too"}
            path = f"/notify/v1/alerts/{alert['id']}/actions"
            assert (await client.post(path, json=note)).is_success
        yield client


async def test_everything_about_the_child_is_there_and_nothing_about_another(
    client: httpx.AsyncClient, settings: ServiceSettings
) -> None:
    found = await access.gather(settings, ADA)
    said = json.dumps(found, ensure_ascii=False)

    registers = found["registers_and_rolls"]
    assert [one["pupil"]["given_name"] for one in registers["rolls"]] == ["Ada"]
    assert [(one["day"], one["code"]) for one in registers["marks"]] == [(str(TODAY), "N")]
    assert [(one["from_code"], one["to_code"]) for one in registers["corrections"]] == [("I", "N")]
    assert found["analysis"]["books"][0]["marks"] == [
        {"day": str(TODAY), "session": "am", "code": "N"}
    ]
    assert {one["kind"] for one in found["analysis"]["bells"]} >= {"unexplained-absence"}
    told = {one["recipient"] for one in found["sharing"]["disclosures"]}
    assert {"sam", "sue"} <= told
    assert found["practitioners"]["sam"]["name"] == "Sam Worker"
    assert "eve" not in found["practitioners"]
    assert f"seen with {access.OTHER_CHILD}, {access.OTHER_CHILD}" in said
    assert f"{access.OTHER_CHILD} was there too" in said
    for other in (BEN, "Bright", "bright", "BRIGHT", "Ben's own comment", "example.org"):
        assert other not in said, other


async def test_the_page_reads_the_same_and_repeats_no_markup(
    client: httpx.AsyncClient, settings: ServiceSettings
) -> None:
    page = access.as_page(await access.gather(settings, ADA))

    HTMLParser().feed(page)
    for words in (
        "Ada", "Sam Worker, social worker, Care", "unexplained-absence", "visited",
        "&lt;b&gt;at the shops&lt;/b&gt;", MEANING,
    ):  # fmt: skip
        assert words.lower() in page.lower(), words
    for other in (BEN, "bright", "<b>", "example.org", "http"):
        assert other not in page.lower(), other


async def test_the_command_writes_both_for_their_owner_alone(
    client: httpx.AsyncClient, settings: ServiceSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = ["subject-access", ADA, "--out", str(out), "--data", str(settings.data_dir)]

    outcome = await asyncio.to_thread(CliRunner().invoke, cli, said)

    assert outcome.exit_code == 0, outcome.output
    assert ADA not in outcome.output
    made = {path.name: path.stat().st_mode & 0o777 for path in out.iterdir()}
    assert made == {"subject-access.json": 0o600, "subject-access.html": 0o600}
    assert json.loads((out / "subject-access.json").read_text())["upn"] == ADA


def test_a_mistyped_number_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / "risk.db").touch()
    said = ["subject-access", "A801200005001", "--out", str(tmp_path), "--data", str(tmp_path)]

    outcome = CliRunner().invoke(cli, said)

    assert outcome.exit_code == 2
    assert "check letter" in outcome.output
    assert "A801200005001" not in outcome.output.replace("\n", "")
