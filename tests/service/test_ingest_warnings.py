"""Registers that are taken with a warning, and those whose JSON gives a key twice."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.body import read_line, read_register
from services.ingest.openings import KEPT_S, Openings
from tests.service.ingest_app import URN, register, running, upn

SATURDAY, MONDAY, TUESDAY = date(2026, 9, 19), date(2026, 9, 14), date(2026, 9, 15)
CALENDAR = {
    "terms": [{"starts_on": "2026-09-02", "ends_on": "2026-10-23"}],
    "closed": [
        {"date": "2026-09-14", "reason": "INSET day"},
        {"date": "2026-09-15", "session": "pm", "reason": "heating"},
    ],
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(tmp_path) as (_, client):
        yield client


async def warnings(client: httpx.AsyncClient, day: date, session: str = "am") -> list[str]:
    url = f"/v1/schools/{URN}/registers/{day}/{session}"
    answer = await client.put(url, json=register("/N"))
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["accepted"] + told["unchanged"] == 2
    receipt = (await client.get(f"/v1/receipts/{told['receipt']}")).json()
    assert receipt["warnings"] == told["warnings"]
    return list(told["warnings"])


async def set_calendar(client: httpx.AsyncClient) -> None:
    url = f"/v1/schools/{URN}/calendar/2026-27"
    assert (await client.put(url, json=CALENDAR)).status_code == 202


async def test_a_register_of_a_weekend_is_taken_with_a_warning(client: httpx.AsyncClient) -> None:
    (warning,) = await warnings(client, SATURDAY)
    none = await warnings(client, MONDAY)
    await set_calendar(client)
    (with_calendar,) = await warnings(client, SATURDAY)

    assert warning.startswith("2026-09-19 is a Saturday: without a calendar")
    assert none == []
    assert with_calendar.startswith("2026-09-19 is a Saturday: its marks are kept")


async def test_a_register_of_a_day_on_which_the_school_is_closed_is_taken_with_a_warning(
    client: httpx.AsyncClient,
) -> None:
    await set_calendar(client)

    (inset,) = await warnings(client, MONDAY)
    (half,) = await warnings(client, TUESDAY, "pm")
    (holiday,) = await warnings(client, date(2026, 10, 26))

    assert "closed on 2026-09-14, am" in inset
    assert "closed on 2026-09-15, pm" in half
    assert "2026-10-26 is in no term" in holiday
    assert await warnings(client, TUESDAY, "am") == []
    assert await warnings(client, date(2025, 10, 27)) == []  # a year without a calendar


async def test_streams_and_exports_warn_as_well(client: httpx.AsyncClient) -> None:
    line = {"urn": URN, "date": str(SATURDAY), "session": "am", **register("/")}
    stream = await client.post(
        "/v1/registers",
        content=json.dumps(line),
        headers={"content-type": "application/x-ndjson"},
    )
    export = await client.post(
        f"/v1/schools/{URN}/registers.csv",
        content=f"date,session,upn,code\n{SATURDAY},pm,{upn(1)},/\n",
        headers={"content-type": "text/csv"},
    )

    for answer in (stream, export):
        (warning,) = answer.json()["warnings"]
        assert "is a Saturday" in warning


async def test_a_calendar_set_elsewhere_is_seen_after_a_while(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await warnings(client, MONDAY) == []
    monkeypatch.setattr(Openings, "forget", lambda *_: None)  # as if by another process
    await set_calendar(client)
    assert await warnings(client, MONDAY) == []

    monkeypatch.setattr("services.ingest.openings.time.monotonic", lambda: 1e9 + KEPT_S)

    assert len(await warnings(client, MONDAY)) == 1


MARK = f'{{"upn": "{upn(1)}", "code": "/"}}'
REPEATED: dict[str, tuple[str, list[str | int]]] = {
    "marks": (f'{{"marks": [{MARK}], "marks": [{MARK}]}}', ["marks"]),
    "group": (f'{{"group": "7A", "marks": [{MARK}], "group": "7B"}}', ["group"]),
    "group, null": (f'{{"group": "7A", "marks": [{MARK}], "group": null}}', ["group"]),
    "upn": (
        f'{{"marks": [{MARK}, {{"upn": "{upn(2)}", "upn": "{upn(3)}", "code": "/"}}]}}',
        ["marks", 1, "upn"],
    ),
    "code": (
        f'{{"marks": [{{"upn": "{upn(1)}", "code": "N", "code": "/"}}]}}',
        ["marks", 0, "code"],
    ),
    "code, the same": (
        f'{{"marks": [{{"code": "/", "upn": "{upn(1)}", "code": "/"}}]}}',
        ["marks", 0, "code"],
    ),
    "minutes_late, the last null": (
        f'{{"marks": [{{"upn": "{upn(1)}", "code": "L", "minutes_late": 5,'
        ' "minutes_late": null}]}',
        ["marks", 0, "minutes_late"],
    ),
    "comment": (
        f'{{"marks": [{{"upn": "{upn(1)}", "code": "L", "comment": "a", "comment": "b"}}]}}',
        ["marks", 0, "comment"],
    ),
    "code, with an escape": (
        f'{{"marks": [{{"upn": "{upn(1)}", "code": "N", "\\u0063ode": "/"}}]}}',
        ["marks", 0, "code"],
    ),
    "upn, with escapes": (
        f'{{"marks": [{{"\\u0075pn": "{upn(1)}", "code": "N", "u\\u0070n": "{upn(2)}"}}]}}',
        ["marks", 0, "upn"],
    ),
    "among bad marks": (
        f'{{"marks": [{MARK}, "bad", {{"upn": "{upn(2)}", "code": "N", "code": "/"}}]}}',
        ["marks", 2, "code"],
    ),
}


@pytest.mark.parametrize("case", REPEATED)
async def test_a_register_that_gives_a_key_twice_is_refused_and_told_which(
    client: httpx.AsyncClient, case: str
) -> None:
    body, place = REPEATED[case]
    url = f"/v1/schools/{URN}/registers/{MONDAY}/am"
    as_json = {"content-type": "application/json"}
    line = body.replace("{", f'{{"urn": "{URN}", "date": "{MONDAY}", "session": "am", ', 1)

    answer = await client.put(url, content=body, headers=as_json)
    stream = await client.post(
        "/v1/registers", content=line, headers={"content-type": "application/x-ndjson"}
    )

    for told in (answer.json(), stream.json()):
        assert told["status"] == 422
        assert told["errors"] == [
            {"at": ["body", *place], "why": "this key is there twice: send it once"}
        ]
        assert upn(1) not in json.dumps(told)
    assert (await client.get(url)).status_code == 404  # nothing was stored


async def test_a_key_that_is_none_of_ours_is_not_repeated_in_the_answer(
    client: httpx.AsyncClient,
) -> None:
    body = f'{{"marks": [{MARK}, {{"Ada": 1, "Ada": 2}}]}}'

    answer = await client.put(
        f"/v1/schools/{URN}/registers/{MONDAY}/am",
        content=body,
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == ["body", "marks", 1]
    assert "Ada" not in answer.text


@pytest.mark.parametrize(
    "more",
    [
        {"comment": "upn"},
        {"comment": 'he said "code"'},
        {"comment": "\\"},
        {"comment": None, "minutes_late": None},
        {"comment": "marks", "minutes_late": 5, "code": "L"},
        {"comment": ""},
    ],
)
def test_what_only_looks_like_a_key_given_twice_is_taken(more: dict[str, Any]) -> None:
    body = {"group": "marks", "marks": [{"upn": upn(1), "code": "/", **more}]}
    line = {**body, "urn": URN, "date": str(MONDAY), "session": "am"}

    assert read_register(json.dumps(body).encode()).upns == [upn(1)]
    assert read_line(json.dumps(line).encode())[3].upns == [upn(1)]
