"""Registers sent over HTTP to the real app."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from alembic import command
from sqlalchemy import func, select

from libs.common import migrations
from libs.common.database import Database
from libs.common.outbox import OutboxEvent
from libs.common.school_day import london_day, utc_now
from tests.service.ingest_app import DAY, OTHER_URN, URL, URN, headers_of, register, running, upn


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(tmp_path) as (_, client):
        yield client


async def events_in(folder: Path) -> int:
    database = Database(f"sqlite+aiosqlite:///{folder}/ingest.db", "ingest")
    async with database.reading() as db:
        count = await db.scalar(select(func.count()).select_from(OutboxEvent))
    await database.close()
    return int(count or 0)


async def codes_held(client: httpx.AsyncClient, url: str = URL) -> dict[str, str]:
    answer = (await client.get(url)).raise_for_status().json()
    return {mark["upn"]: mark["code"] for mark in answer["marks"]}


async def test_a_register_is_accepted_and_held(client: httpx.AsyncClient) -> None:
    answer = await client.put(URL, json=register("/NL"))

    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["corrected"], body["unchanged"]) == (3, 0, 0)
    assert body["rejected"] == body["notes"] == []
    assert await codes_held(client) == {upn(1): "/", upn(2): "N", upn(3): "L"}


async def test_a_register_sent_again_changes_nothing_and_publishes_nothing(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await client.put(URL, json=register("/N"))

    again = (await client.put(URL, json=register("/N"))).json()

    assert (again["accepted"], again["corrected"], again["unchanged"]) == (0, 0, 2)
    assert await events_in(tmp_path) == 1
    assert (await client.get(f"{URL}/corrections")).json()["items"] == []


async def test_a_changed_mark_is_a_correction_and_what_stood_before_it_is_kept(
    client: httpx.AsyncClient,
) -> None:
    await client.put(URL, json=register("/NN"))
    late = {"upn": upn(2), "code": "L", "minutes_late": 12, "comment": "bus"}

    answer = (await client.put(URL, json={"marks": [late, {"upn": upn(3), "code": "I"}]})).json()

    assert (answer["accepted"], answer["corrected"], answer["unchanged"]) == (2, 2, 0)
    assert await codes_held(client) == {upn(1): "/", upn(2): "L", upn(3): "I"}
    first = (await client.get(f"{URL}/corrections", params={"limit": 1})).json()
    [item] = first["items"]
    assert (item["upn"], item["from_code"], item["to_code"]) == (upn(2), "N", "L")
    assert (item["from_minutes"], item["to_minutes"]) == (None, 12)
    assert item["subject"] == "school-1"
    assert item["receipt"] == answer["receipt"]
    rest = (await client.get(f"{URL}/corrections", params={"cursor": first["next"]})).json()
    assert [i["upn"] for i in rest["items"]] == [upn(3)]
    assert rest["next"] is None


async def test_bad_marks_are_quarantined_and_named_and_good_ones_are_taken(
    client: httpx.AsyncClient,
) -> None:
    marks = [
        {"upn": upn(1), "code": "/"},
        {"upn": upn(2), "code": "?"},
        {"upn": "Z" + upn(3)[1:], "code": "/"},
        {"upn": upn(4)},
        {"upn": upn(5), "code": "/", "minutes_late": 5},
        {"upn": upn(6), "code": "/", "colour": "red"},
        "Ada Example",
        {"upn": upn(1), "code": "N"},
        {"upn": upn(7), "code": "J"},
        {"upn": upn(8), "code": "L", "minutes_late": 9999},
    ]

    answer = await client.put(URL, json={"marks": marks})

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert [mark["index"] for mark in answer.json()["rejected"]] == list(range(1, 10))
    assert await codes_held(client) == {upn(1): "/"}
    held = (await client.get(f"/v1/schools/{URN}/quarantine")).json()["items"]
    assert [mark["index"] for mark in held] == list(range(1, 10))
    reasons = " ".join(mark["reason"] for mark in held)
    assert "Ada" not in reasons
    assert not any(upn(n) in reasons for n in range(1, 9))


async def test_strict_handling_takes_all_or_nothing(client: httpx.AsyncClient) -> None:
    strict = {"prefer": "handling=strict"}

    refused = await client.put(URL, json=register("/?"), headers=strict)
    taken = await client.put(URL.replace("/am", "/pm"), json=register("N"), headers=strict)

    assert refused.status_code == 422
    assert [mark["index"] for mark in refused.json()["rejected"]] == [1]
    assert refused.headers["preference-applied"] == "handling=strict"
    assert (await client.get(URL)).status_code == 404
    assert (await client.get(f"/v1/schools/{URN}/quarantine")).json()["items"] == []
    assert taken.status_code == 202
    assert taken.headers["preference-applied"] == "handling=strict"


@pytest.mark.parametrize(
    ("prefer", "wish"),
    [
        (['handling="strict"'], "strict"),
        (["respond-async; wait=5, Handling = STRICT; x=y"], "strict"),
        (["respond-async", "handling=strict"], "strict"),
        (["handling=strict, handling=lenient"], "strict"),
        (["handling=lenient, handling=strict"], "lenient"),
        (['note=", handling=strict"'], None),
        (["handling=harsh"], None),
    ],
)
async def test_a_preference_is_read_however_it_is_written(
    client: httpx.AsyncClient, prefer: list[str], wish: str | None
) -> None:
    headers = [("prefer", value) for value in prefer]

    answer = await client.put(URL, json=register("/?"), headers=headers)

    assert answer.status_code == (422 if wish == "strict" else 202)
    assert answer.headers.get("preference-applied") == (f"handling={wish}" if wish else None)


async def test_a_byte_order_mark_is_passed_over(client: httpx.AsyncClient) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(register("/N")).encode()

    answer = await client.put(URL, content=body, headers={"content-type": "application/json"})

    assert answer.json()["accepted"] == 2


async def test_the_other_halfs_mark_is_taken_and_noted(client: httpx.AsyncClient) -> None:
    answer = await client.put(URL, json=register("\\"))

    assert [note["index"] for note in answer.json()["notes"]] == [0]
    assert await codes_held(client) == {upn(1): "/"}


async def test_a_register_of_tomorrow_is_refused(client: httpx.AsyncClient) -> None:
    tomorrow = london_day(utc_now()) + timedelta(days=1)

    for day in (str(tomorrow), "1999-12-31", "1700000000", "20260914", "2026-02-30"):
        answer = await client.put(URL.replace(str(DAY), day), json=register("/"))

        assert answer.status_code == 422, day
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"marks": [{"upn": ["Ada Example"], "code": "/"}]}', ["body", "marks", 0, "upn"]),
        (b'{"marks": [{"code": "/"}]}', ["body", "marks", 0, "upn"]),
        (b'{"marks": []}', ["body", "marks"]),
        (b'{"marks": 1}', ["body", "marks"]),
        (b'{"marks": [{"upn": "Ada", "code": "/"}], "more": 1}', ["body"]),
        (b"{}", ["body", "marks"]),
        (b"not JSON", ["body"]),
        (b"", ["body"]),
        (b"\xff\xfe", ["body"]),
        (b"[" * 100_000, ["body"]),
        (b'{"marks": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", None),
        (b'{"marks": [{"upn": "\\ud800", "code": "/"}]}', None),
    ],
)
async def test_a_bad_envelope_is_a_problem_that_says_where_and_repeats_nothing(
    client: httpx.AsyncClient, body: bytes, at: list[str | int] | None
) -> None:
    answer = await client.put(URL, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert at is None or answer.json()["errors"][0]["at"] == at
    assert "Ada" not in answer.text


async def test_a_group_keeps_one_mark_a_pupil_whichever_register_it_came_in(
    client: httpx.AsyncClient,
) -> None:
    await client.put(URL, json=register("//", group="7A"))

    answer = (await client.put(URL, json=register("N/", first=2, group="7B"))).json()

    assert (answer["accepted"], answer["corrected"]) == (2, 1)
    assert await codes_held(client) == {upn(1): "/", upn(2): "N", upn(3): "/"}
    marks = (await client.get(URL)).json()["marks"]
    assert [mark["group"] for mark in marks] == ["7A", "7B", "7B"]


async def test_the_same_register_sent_at_once_many_times_is_taken_once(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answers = await asyncio.gather(*(client.put(URL, json=register("/N")) for _ in range(20)))

    assert sorted(answer.json()["accepted"] for answer in answers) == [0] * 19 + [2]
    assert (await client.get(URL)).json()["revision"] == 1
    assert await events_in(tmp_path) == 1


async def test_only_a_token_with_scope_and_school_may_send(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    none = await client.put(URL, json=register("/"), headers={"authorization": ""})
    reader = await client.put(
        URL, json=register("/"), headers=headers_of(tmp_path, "registers:read")
    )
    other = await client.put(URL.replace(URN, OTHER_URN), json=register("/"))

    assert [none.status_code, reader.status_code, other.status_code] == [401, 403, 403]
    assert other.headers["content-type"] == "application/problem+json"


async def test_a_wrong_type_and_a_large_body_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, request_bytes_max=1000) as (_, client):
        large = await client.put(URL, json=register("/" * 100))
        typed = await client.put(URL, content=b"{}", headers={"content-type": "text/plain"})

    assert (large.status_code, typed.status_code) == (413, 415)


async def test_text_with_nul_is_refused_or_kept_without_it(client: httpx.AsyncClient) -> None:
    marks = [{"upn": upn(1), "code": "/"}, {"upn": "\0" * 13, "code": "\0"}]

    answer = await client.put(URL, json={"marks": marks})

    assert answer.status_code == 202
    assert "\\u0000" not in answer.text


async def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"
    await migrations.upgrade("ingest", url)
    config = migrations.config("ingest", url)

    await asyncio.to_thread(command.check, config)
    await asyncio.to_thread(command.downgrade, config, "base")
    await migrations.upgrade("ingest", url)
