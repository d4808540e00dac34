"""Whatever a client sends, and whatever is away: a problem document, and never a 500."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.service import cursor_of
from libs.common.settings import ServiceSettings
from services.mounting import mount_all
from services.up import SERVICES
from tests.conftest import serving

AGENCY = ("notify", "PUT", "/v1/agencies/care")
DECIDE = ("notify", "POST", "/v1/sharing/decide")
REGISTER = ("ingest", "PUT", "/v1/schools/100000/registers/2026-09-14/am")
ROLL = ("ingest", "PUT", "/v1/schools/100000/roll")
CALENDAR = ("ingest", "PUT", "/v1/schools/100000/calendar/2026-27")
JSON_CALLS = [AGENCY, DECIDE, REGISTER, ROLL, CALENDAR]
READS = [
    ("ingest", "/v1/schools/100000/roll"),
    ("risk", "/v1/bells"),
    ("notify", "/v1/disclosures"),
]
Headers = Callable[..., dict[str, str]]


@pytest.fixture
def headers(token: Headers) -> dict[str, str]:
    return {**token(scope="admin"), "content-type": "application/json"}


def must_be_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem.keys() >= {"type", "title", "detail"}
    return problem


async def in_pieces(size: int, sent: list[int]) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        sent.append(100)
        yield b" " * 100


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("call", JSON_CALLS, ids=lambda call: call[2])
async def test_a_body_over_the_limit_is_refused(
    settings: ServiceSettings, headers: dict[str, str], call: tuple[str, str, str], pieces: bool
) -> None:
    service, method, path = call
    small = settings.model_copy(update={"request_bytes_max": 1000})
    async with serving(SERVICES[service](small), service, settings=small) as client:
        sent: list[int] = []
        body: Any = in_pieces(50_000, sent) if pieces else b" " * 2000

        answer = await client.request(method, path, content=body, headers=headers)

        problem = must_be_problem(answer, 413)
        assert problem["detail"] == "Send at most 1000 bytes in one body."
        assert sum(sent) < 2000  # it is not read to its end
        assert (await client.get("/healthz")).is_success


async def test_an_export_over_the_limit_is_refused_and_a_stream_is_not(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    small = settings.model_copy(update={"request_bytes_max": 1000})
    async with serving(SERVICES["ingest"](small), "ingest", settings=small) as client:
        csv = headers | {"content-type": "text/csv"}
        lines = headers | {"content-type": "application/x-ndjson"}
        path = "/v1/schools/100000/registers.csv"

        export = await client.post(path, content=b"x" * 2000, headers=csv)
        stream = await client.post("/v1/registers", content=b"{}\n" * 1000, headers=lines)

        must_be_problem(export, 413)
        assert stream.status_code == 200
        assert len(stream.text.splitlines()) == 1000


UNREADABLE = {
    "nested": b"[" * 50_000,
    "nested in a field": b'{"name":' + b'{"a":' * 50_000,
    "nested and closed": b"[" * 20_000 + b"]" * 20_000,
    "not text": b"\xff\xfe",
    "cut short": b'{"name": "Ca',
    "a number without end": b'{"name": ' + b"9" * 10_000 + b"}",
    "half a character": b'{"\\ud800": "\\udfff"}',
    "nothing": b"",
    "NaN": b"NaN",
    "the wrong kind": b"7",
}


@pytest.mark.parametrize("service", ["ingest", "notify"])
async def test_a_body_that_cannot_be_read_is_the_clients_to_mend(
    settings: ServiceSettings, headers: dict[str, str], service: str
) -> None:
    async with serving(SERVICES[service](settings), service, settings=settings) as client:
        for _, method, path in [call for call in JSON_CALLS if call[0] == service]:
            for body in UNREADABLE.values():
                answer = await client.request(method, path, content=body, headers=headers)

                assert must_be_problem(answer, 422)["errors"]


async def test_an_error_does_not_repeat_the_name_of_an_unknown_field(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    async with serving(SERVICES["notify"](settings), "notify", settings=settings) as client:
        body = {"name": "Care", "kind": "police", "Ada Example": 1}

        answer = await client.put(AGENCY[2], json=body, headers=headers)

        assert must_be_problem(answer, 422)["errors"][0]["at"] == ["body"]
        assert "Ada" not in answer.text


CURSORS = {
    "not ours": "what",
    "not ASCII": "é",
    "of another list": cursor_of("a", "b", "c"),
    "a number beyond 64 bits": cursor_of(2**63),
    "a number far beyond": cursor_of(10**60),
    "an instant without a zone": cursor_of("2026-09-14T08:50:00", "0" * 32),
    "an instant out of time": cursor_of("0001-01-01T00:00:00+14:00", "0" * 32),
    "a text with a NUL": cursor_of("\0"),
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS)
@pytest.mark.parametrize(("service", "path"), READS)
async def test_a_cursor_that_is_none_of_ours_is_refused(
    settings: ServiceSettings, headers: dict[str, str], service: str, path: str, cursor: str
) -> None:
    async with serving(SERVICES[service](settings), service, settings=settings) as client:
        answer = await client.get(path, params={"cursor": cursor}, headers=headers)

        assert must_be_problem(answer, 422)["errors"] == [
            {"at": ["query", "cursor"], "why": "unknown"}
        ]


AWAY = [
    "sqlite+aiosqlite:////nowhere/at/all/{service}.db",
    "postgresql+asyncpg://nobody@127.0.0.1:1/firstbell",
]


def started(app: FastAPI) -> Any:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://firstbell")


@pytest.mark.parametrize("url", AWAY, ids=["sqlite", "postgres"])
@pytest.mark.parametrize(("service", "path"), [*READS, ("risk", "/readyz")])
async def test_while_the_database_is_away_clients_are_told_to_come_again(
    settings: ServiceSettings, headers: dict[str, str], service: str, path: str, url: str
) -> None:
    app = SERVICES[service](settings.model_copy(update={"database_url": url}))
    async with app.router.lifespan_context(app), started(app) as client:
        answer = await client.get(path, headers=headers)

        must_be_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/healthz")).is_success


async def test_when_every_connection_is_taken_clients_are_told_to_come_again(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    app = SERVICES["risk"](settings)
    async with serving(app, "risk", settings=settings) as client:
        url = settings.database_url.replace("{service}", "risk")
        narrow = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
        usual, app.state.database.engine = app.state.database.engine, narrow
        async with narrow.connect():
            answer = await client.get("/v1/bells", headers=headers)
        await narrow.dispose()
        app.state.database.engine = usual

        must_be_problem(answer, 503)
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("service", SERVICES)
async def test_the_rest_of_the_ways_to_go_wrong_are_problems_too(
    settings: ServiceSettings, headers: dict[str, str], service: str
) -> None:
    async with serving(SERVICES[service](settings), service, settings=settings) as client:
        must_be_problem(await client.get("/v1/nothing"), 404)
        must_be_problem(await client.get(READS[0][1] + "/"), 404)
        must_be_problem(await client.patch("/healthz"), 405)
        path = next(path for name, path in READS if name == service)
        refused = await client.get(path)
        must_be_problem(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_wrong_method_is_told_every_right_one(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    async with serving(SERVICES["notify"](settings), "notify", settings=settings) as client:
        answer = await client.delete(AGENCY[2], headers=headers)

        must_be_problem(answer, 405)
        assert answer.headers["allow"] == "GET, HEAD, PUT"


async def test_a_body_of_another_kind_is_not_taken(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    async with serving(SERVICES["notify"](settings), "notify", settings=settings) as client:
        for kind in ("text/plain", "application/jsonx", "multipart/form-data; boundary=x", ""):
            changed = headers | {"content-type": kind}

            must_be_problem(await client.put(AGENCY[2], content=b"{}", headers=changed), 415)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("content-type", "application/json; charset=iso-8859-1", "in UTF-8"),
        ("content-encoding", "gzip", "without a Content-Encoding"),
    ],
)
async def test_a_body_in_another_encoding_is_not_taken(
    settings: ServiceSettings, headers: dict[str, str], name: str, value: str, remedy: str
) -> None:
    async with serving(SERVICES["ingest"](settings), "ingest", settings=settings) as client:
        answer = await client.put(REGISTER[2], content=b"{}", headers=headers | {name: value})

        assert remedy in must_be_problem(answer, 415)["detail"]
        assert answer.headers.get("accept-encoding") == (
            "identity" if name == "content-encoding" else None
        )


async def test_head_is_answered_as_get_is(
    settings: ServiceSettings, headers: dict[str, str]
) -> None:
    house = mount_all({"/risk": SERVICES["risk"](settings)})
    async with serving(house, "risk", settings=settings) as client:
        for path in ("/", "/risk/healthz", "/risk/v1/bells"):
            assert (await client.head(path, headers=headers)).status_code == 200, path
        assert (await client.head("/risk/v1/bells")).status_code == 401


async def test_beside_the_services_there_are_problems_too(settings: ServiceSettings) -> None:
    house = mount_all({"/risk": SERVICES["risk"](settings)})
    async with serving(house, "risk", settings=settings) as client:
        for path in ("/nothing", "/risk", "/ingest/v1/registers"):
            must_be_problem(await client.get(path), 404)
        must_be_problem(await client.post("/"), 405)
