"""Streams, exports, rolls, calendars and receipts, sent over HTTP to the real app."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.ingest.main import create_app
from tests.conftest import migrate
from tests.listening import listening, small
from tests.patience import PATIENCE_S
from tests.service.ingest_app import (
    DAY,
    OTHER_URN,
    URL,
    URN,
    headers_of,
    register,
    running,
    settings_in,
    upn,
)

NDJSON = {"content-type": "application/x-ndjson"}
CSV = {"content-type": "text/csv"}
ROLL = f"/v1/schools/{URN}/roll"
CALENDAR = f"/v1/schools/{URN}/calendar/2026-27"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(tmp_path) as (_, client):
        yield client


def line(codes: str, urn: str = URN, day: str = str(DAY), **more: Any) -> bytes:
    sent = {"urn": urn, "date": day, "session": "am", **register(codes, **more)}
    return json.dumps(sent).encode() + b"\n"


def pupil(number: int, **more: Any) -> dict[str, Any]:
    return {
        "upn": upn(number),
        "given_name": "Ada",
        "family_name": "Example",
        "date_of_birth": "2014-02-03",
        "year_group": "7",
        "entered_on": "2025-09-01",
        **more,
    }


async def app_in(folder: Path) -> FastAPI:
    settings = settings_in(folder)
    await migrate("ingest", settings)
    return create_app(settings)


async def stream(client: httpx.AsyncClient, body: bytes) -> list[dict[str, Any]]:
    answer = await client.post("/v1/registers", content=body, headers=NDJSON)
    assert answer.status_code == 200
    return [json.loads(text) for text in answer.text.splitlines()]


async def test_a_bad_line_is_answered_and_the_stream_goes_on(client: httpx.AsyncClient) -> None:
    lines = [line("/"), b"nonsense\n", b"\n", line("/", OTHER_URN), line("/", day="2999-01-01")]

    answers = await stream(client, b"".join([*lines, line("N").strip()]))

    assert [a["line"] for a in answers] == [1, 2, 4, 5, 6]
    assert [a.get("status") for a in answers] == [None, 422, 403, 422, None]
    assert (answers[0]["accepted"], answers[-1]["corrected"]) == (1, 1)


async def test_a_thousand_lines_are_taken_in_order(client: httpx.AsyncClient) -> None:
    body = b"".join(line("N" if n % 2 else "/", first=n // 2) for n in range(1000))

    answers = await stream(client, body)

    assert [answer["line"] for answer in answers] == list(range(1, 1001))
    assert sum(answer["corrected"] for answer in answers) == 500
    assert {mark["code"] for mark in (await client.get(URL)).json()["marks"]} == {"N"}


async def test_a_line_that_is_too_long_is_refused_and_the_next_one_taken(tmp_path: Path) -> None:
    async with running(tmp_path, request_bytes_max=1000) as (_, client):
        answers = await stream(client, line("/" * 500) + line("/"))

    assert [answer.get("status") for answer in answers] == [413, None]


def test_a_sender_that_reads_nothing_until_it_has_sent_all_is_answered(tmp_path: Path) -> None:
    # Far more receipts than the socket's two ends hold: were they not put aside, both would wait.
    count = 5_000
    body = line("/", urn=OTHER_URN) * count
    app = asyncio.run(app_in(tmp_path))
    bearer = headers_of(tmp_path)["authorization"]
    head = (
        "POST /v1/registers HTTP/1.1", "Host: ingest", f"Authorization: {bearer}",
        "Content-Type: application/x-ndjson", f"Content-Length: {len(body)}", "Connection: close",
    )  # fmt: skip

    with listening(app, buffer_bytes=4096) as address, socket.socket() as sender:
        small(sender, 4096)
        sender.settimeout(30)
        sender.connect(("127.0.0.1", int(address.rpartition(":")[2])))
        sender.sendall("\r\n".join((*head, "", "")).encode() + body)
        answer = b"".join(iter(lambda: sender.recv(65536), b""))

    assert answer.count(b'"line":') == count
    assert f'"line":{count},'.encode() in answer


async def test_an_export_is_grouped_into_registers(client: httpx.AsyncClient) -> None:
    rows = [
        "date,session,upn,code,minutes_late,comment,group",
        f"{DAY},am,{upn(1)},/,,,7A",
        f"{DAY},pm,{upn(1)},L,5,bus,7A",
        f"{DAY},am,{upn(2)},?,,,7B",
        f"yesterday,am,{upn(2)},/,,,7B",
        f"{DAY},am,{upn(2)}",
    ]

    url = f"/v1/schools/{URN}/registers.csv"
    answer = await client.post(url, content="\n".join(rows), headers=CSV)

    assert answer.status_code == 202
    body = answer.json()
    assert (body["registers"], body["accepted"], len(body["receipts"])) == (2, 2, 2)
    assert [bad["row"] for bad in body["rejected"]] == [4, 5, 6]
    for wrong in (b"", b"a,b\n1,2", b"\xff\xfe", b'"' + b"x" * 200_000):
        assert (await client.post(url, content=wrong, headers=CSV)).status_code == 422
    assert (await client.post(url, content=b"", headers=NDJSON)).status_code == 415


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (b"date;session;upn;code\n2026-09-14;am;X;/\n", "semicolons"),
        (b"date\tsession\tupn\tcode\n", "tabs"),
        (b"date,session,upn\n", "the first row is date,session,upn,code"),
        (b"date,session,upn,code,code\n", "the first row"),
        (b"", "the first row"),
        ("date,session,upn,code\n".encode("utf-16"), "UTF-8"),
        (b'date,session,upn,code\n"', "quotation mark"),
    ],
)
async def test_an_export_that_cannot_be_read_is_told_why(
    client: httpx.AsyncClient, body: bytes, remedy: str
) -> None:
    answer = await client.post(f"/v1/schools/{URN}/registers.csv", content=body, headers=CSV)

    assert answer.status_code == 422
    assert remedy in answer.json()["errors"][0]["why"]


async def test_an_exports_header_is_read_as_people_write_it(client: httpx.AsyncClient) -> None:
    body = f"\ufeffDate,Session,UPN,Code, Minutes Late\n{DAY},AM,{upn(1)},L,7\n".encode()

    answer = await client.post(f"/v1/schools/{URN}/registers.csv", content=body, headers=CSV)

    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert (await client.get(URL)).json()["marks"][0]["minutes_late"] == 7


async def test_a_roll_takes_good_pupils_and_removes_those_left_out(
    client: httpx.AsyncClient,
) -> None:
    first = await client.put(ROLL, json={"pupils": [pupil(n) for n in range(1, 4)]})
    again = await client.put(ROLL, json={"pupils": [pupil(n) for n in range(1, 4)]})
    bad = pupil(2, left_on="2020-01-01")

    changed = await client.put(ROLL, json={"pupils": [pupil(1, group="7A"), bad, 5]})

    assert (first.status_code, first.json()["accepted"]) == (202, 3)
    assert (again.json()["accepted"], again.json()["unchanged"]) == (0, 3)
    body = changed.json()
    assert (body["accepted"], body["corrected"], body["removed"]) == (1, 1, 1)
    assert [bad["index"] for bad in body["rejected"]] == [1, 2]
    page = (await client.get(ROLL, params={"limit": 1})).json()
    rest = (await client.get(ROLL, params={"cursor": page["next"]})).json()
    assert sorted(p["upn"] for p in page["items"] + rest["items"]) == sorted([upn(1), upn(2)])


async def test_what_a_pupil_brings_from_former_schools_must_make_sense(
    client: httpx.AsyncClient,
) -> None:
    good = {"academic_year": 2025, "possible": 100, "authorised": 4, "unauthorised": 2}
    sent = [good, {**good, "academic_year": 2019}, {**good, "possible": 5}, {**good, "late": 1}]
    pupils = [pupil(n, entered_on="2026-01-12", brought=b) for n, b in enumerate(sent, 1)]

    answer = await client.put(ROLL, json={"pupils": pupils})

    rejected = answer.json()["rejected"]
    assert [bad["index"] for bad in rejected] == [1, 2, 3]
    assert rejected[0]["reason"] == "brought: academic_year is not that of entered_on"
    assert rejected[1]["reason"] == "brought: more sessions missed than were possible"
    page = (await client.get(ROLL)).json()
    assert [p["brought"] for p in page["items"]] == [good]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"pupils": []}', b'{"pupils": [1]}', b"[" * 99999])
async def test_a_roll_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.put(ROLL, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422


async def test_a_calendar_is_kept_and_overlapping_terms_are_refused(
    client: httpx.AsyncClient,
) -> None:
    autumn = {"starts_on": "2026-09-02", "ends_on": "2026-12-18"}
    inset = {"date": "2026-09-02", "reason": "INSET day"}

    set_ = await client.put(CALENDAR, json={"terms": [autumn], "closed": [inset]})
    again = await client.put(CALENDAR, json={"terms": [autumn], "closed": [inset]})
    overlapping = await client.put(CALENDAR, json={"terms": [autumn, autumn]})
    other_year = await client.put(CALENDAR.replace("2026-27", "2025"), json={"terms": [autumn]})
    no_year = await client.put(CALENDAR.replace("2026-27", "2026-28"), json={"terms": [autumn]})

    assert (set_.status_code, set_.json()["changed"], again.json()["changed"]) == (202, True, False)
    assert {overlapping.status_code, other_year.status_code, no_year.status_code} == {422}
    assert (await client.get(CALENDAR)).json()["terms"] == [autumn]
    assert (await client.get(CALENDAR.replace("2026-27", "2025"))).status_code == 404


async def test_a_receipt_is_followed_by_its_school_alone(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    receipt = (await client.put(URL, json=register("/"))).json()["receipt"]
    url = f"/v1/receipts/{receipt}"

    async with asyncio.timeout(PATIENCE_S):
        while (mine := (await client.get(url)).json())["stage"] == "stored":
            pass
    other = await client.get(url, headers=headers_of(tmp_path, urns=(OTHER_URN,)))

    assert (mine["stage"], mine["kind"], mine["accepted"]) == ("published", "register", 1)
    assert other.status_code == 404


async def test_the_openapi_document_describes_every_body(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    bodies = [
        operation["requestBody"]
        for path in paths.values()
        for method, operation in path.items()
        if method in {"put", "post"}
    ]
    assert len(bodies) == 5
    marks = paths["/v1/schools/{urn}/registers/{date}/{session}"]["put"]["requestBody"]
    schema = marks["content"]["application/json"]["schema"]
    assert schema["properties"]["marks"]["items"]["required"] == ["upn", "code"]
