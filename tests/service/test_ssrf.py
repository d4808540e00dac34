"""Webhooks lead to nothing inside, however their address is written: OWASP's API7, test by test.

Each way is tried at both doors: an endpoint is added with it, and it is put behind the service's
back into the row of one that was taken. It runs on uvloop, as the service does.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.service.canary import Canary, connects
from tests.service.name_server import NameServer
from tests.service.notify_app import Answer, CaseSystem
from tests.service.served_notify import Served, served, settings_in
from tests.service.ssrf_vectors import NAMES, NOWHERE, REBINDING, VECTORS, Vector

REFUSED = {"not a public address", "not an address"}
UNKNOWN = "cannot be connected to"


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as canary:
        yield canary


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    with NameServer({**NAMES, **REBINDING}) as server:
        server.be_asked(monkeypatch)
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(settings_in(tmp_path_factory.mktemp("guarded"))) as service:
        yield service


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("unguarded")
    with served(settings_in(folder, allow_private_endpoints=True)) as service:
        yield service


def status_of(service: Served, url: str) -> int:
    answer = service.add(url)
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["at"] == ["body", "url"]
        assert url not in answer.text
    return answer.status_code


def address(vector: Vector, canary: Canary) -> str:
    return vector.url.replace("PORT", str(canary.port))


@pytest.mark.parametrize("vector", VECTORS, ids=[one.name for one in VECTORS])
def test_nothing_inside_is_reached(guarded: Served, canary: Canary, vector: Vector) -> None:
    url = address(vector, canary)
    came = canary.came
    connects(guarded.port)

    status = status_of(guarded, url)
    outcome = guarded.posted(url)

    assert status == (201 if vector.taken else 422)
    tried = set(connects(guarded.port))
    assert tried <= {NOWHERE}
    assert outcome in REFUSED or (outcome == UNKNOWN and (tried or vector.lost))
    assert canary.came == came


REACH = [one for one in VECTORS if one.reaches]


@pytest.mark.parametrize("vector", REACH, ids=[one.name for one in REACH])
def test_without_the_guard_the_canary_is_reached(
    unguarded: Served, canary: Canary, vector: Vector
) -> None:
    url = address(vector, canary)
    came = canary.came
    if vector.taken:
        with suppress(OSError):
            socket.getaddrinfo(vector.name, None)  # the first answer, which leads elsewhere

    unguarded.posted(url)

    assert canary.came > came


def elsewhere(place: str) -> dict[str, Answer]:
    """Return answers that would have whoever believes them go to a place."""
    moved = {
        f"{status} {name}": Answer(status, {"Location": to})
        for status in (300, 301, 302, 303, 305, 307, 308)
        for name, to in {"absolute": f"http://{place}/", "without scheme": f"//{place}/"}.items()
    }
    return moved | {
        "302 of another scheme": Answer(302, {"Location": f"gopher://{place}/_x"}),
        "302 to https": Answer(302, {"Location": f"https://{place}/"}),
        "302 to upper case": Answer(302, {"Location": f"HTTP://{place}/"}),
        "302 with two locations": Answer(302, {"Location": "/", "location": f"http://{place}/"}),
        "302 with a user name": Answer(302, {"Location": f"http://a@{place}/"}),
        "201 with a location": Answer(201, {"Location": f"http://{place}/"}),
        "200 with a refresh": Answer(200, {"Refresh": f"0; url=http://{place}/"}),
        "200 with a link": Answer(200, {"Link": f"<http://{place}/>; rel=preload"}),
        "200 with another service": Answer(200, {"Alt-Svc": f'http/1.1="{place}"'}),
        "200 with a place of its content": Answer(200, {"Content-Location": f"http://{place}/"}),
        "401 with a challenge": Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{place}"'}),
        "407 with a challenge": Answer(407, {"Proxy-Authenticate": "Basic realm=a"}),
        "503 with a location": Answer(503, {"Location": f"http://{place}/"}),
        "421 misdirected": Answer(421, {"Location": f"http://{place}/"}),
    }


MOVES = list(elsewhere(""))


@pytest.mark.parametrize("move", MOVES)
def test_no_answer_leads_elsewhere(unguarded: Served, canary: Canary, move: str) -> None:
    came = canary.came
    with CaseSystem(elsewhere(f"127.0.0.1:{canary.port}")[move]) as system:
        connects(unguarded.port)

        outcome = unguarded.posted(system.url())

        assert len(system.got) == len(connects(unguarded.port)) == 1
    assert outcome.endswith(f"({move[:3]})")
    assert canary.came == came


VARIABLES = [
    name
    for stem in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "ftp_proxy")
    for name in (stem, stem.upper())
]


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_variable_but_the_setting_names_a_proxy(
    tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    came = canary.came
    monkeypatch.setenv(variable, f"http://127.0.0.1:{canary.port}")
    settings = settings_in(tmp_path, allow_private_endpoints=True)
    with CaseSystem() as system, served(settings) as service:
        outcome = service.posted(system.url())

    assert outcome == "delivered (204)"
    assert canary.came == came


TARGETS = {
    "line break in the path": ("/a%0d%0aHost:%20b", "/a%0D%0AHost:%20b"),
    "line break in the query": ("/a?b=%0d%0aX:%20y", "/a?b=%0D%0AX:%20y"),
    "a second request": (
        "/a%20HTTP/1.1%0d%0a%0d%0aGET%20/b",
        "/a%20HTTP/1.1%0D%0A%0D%0AGET%20/b",
    ),
    "a whole address": ("/http://127.0.0.1/", "/http://127.0.0.1/"),
    "unicode line break": ("/a\u2028b", "/a%E2%80%A8b"),
    "small letters that become a line break": ("/\u560d\u560a", "/%E5%98%8D%E5%98%8A"),
    "fragment": ("/a#@b", "/a"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_an_address_adds_nothing_to_the_request(unguarded: Served, target: str) -> None:
    written, asked = TARGETS[target]
    with CaseSystem() as system:
        assert unguarded.posted(system.url(written)) == "delivered (204)"

    (got,) = system.got
    assert got.path == asked
    assert set(got.headers) == {
        "host", "accept", "accept-encoding", "user-agent", "content-length", "content-type",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
    assert got.headers["host"] == system.url("").removeprefix("http://")


def test_there_are_at_least_150_ways_and_no_two_are_the_same() -> None:
    assert len({one.url for one in VECTORS}) == len(VECTORS)
    assert len(VECTORS) + len(MOVES) + len(VARIABLES) + len(TARGETS) >= 150
    assert len(REACH) >= 30
