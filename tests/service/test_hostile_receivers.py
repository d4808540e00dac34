"""Hostile receivers: each is done with in time, little of it is read, and no other waits for it."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.service.hostile import (
    DELIVERED,
    HUNG_UP,
    ILLS,
    MARK,
    NO_CONNECTION,
    OK,
    SILENCE,
    Behaviour,
    Hostile,
    Wire,
    answers,
    hangs,
)
from tests.service.name_server import Found, NameServer
from tests.service.notify_app import CaseSystem
from tests.service.served_notify import Served, patiently, served, settings_in

TIMEOUT_S = 3.0
"""What the service is set to here; 15 s are the most that a receiver may take."""
WITHIN_S = 15.0
READ_BYTES_MAX = 65_536
CERTIFICATE = "its certificate is not valid"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hostile")
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    settings = settings_in(folder, allow_private_endpoints=True, delivery_timeout_s=TIMEOUT_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        with served(settings) as running:
            yield running


def endpoint_at(service: Served, url: str) -> str:
    return str(service.add(url).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def well(service: Served) -> Iterator[tuple[CaseSystem, str]]:
    with CaseSystem() as system:
        yield system, endpoint_at(service, system.url())


def delivered_beside(service: Served, well: tuple[CaseSystem, str]) -> float:
    """Send a message to the receiver that is well; return how long it was on its way."""
    system, endpoint = well
    before, began = len(system.got), time.monotonic()
    service.send(endpoint)
    patiently(lambda: len(system.got) > before or None)
    return time.monotonic() - began


def met(service: Served, well: tuple[CaseSystem, str], hostile: Hostile, url: str) -> str:
    """Send a message to a hostile receiver and one beside it; return what is told of the former."""
    endpoint, began = endpoint_at(service, url), time.monotonic()
    service.send(endpoint)
    patiently(lambda: hostile.came or None)

    beside_s = delivered_beside(service, well)
    delivery = service.tried(endpoint, WITHIN_S)

    assert beside_s < TIMEOUT_S
    assert time.monotonic() - began < WITHIN_S
    assert delivery["last_took_ms"] < (TIMEOUT_S + 2) * 1000
    assert hostile.sent <= READ_BYTES_MAX
    assert hostile.came == 1
    assert MARK not in json.dumps(delivery)
    return str(delivery["last_outcome"])


@pytest.mark.parametrize("ill", ILLS)
def test_a_hostile_receiver_is_done_with(
    service: Served, well: tuple[CaseSystem, str], ill: str
) -> None:
    with Hostile(ILLS[ill].behave) as hostile:
        assert met(service, well, hostile, hostile.url()) in ILLS[ill].told


def test_all_of_them_at_once_hold_up_nobody(service: Served, well: tuple[CaseSystem, str]) -> None:
    with ExitStack() as stack:
        hostiles = [stack.enter_context(Hostile(ill.behave)) for ill in ILLS.values()]
        endpoints = [endpoint_at(service, hostile.url()) for hostile in hostiles]
        for endpoint in endpoints:
            service.send(endpoint)

        beside_s = [delivered_beside(service, well) for _ in range(10)]
        told = [service.tried(endpoint, WITHIN_S)["last_outcome"] for endpoint in endpoints]

    assert max(beside_s) < TIMEOUT_S
    # All together they keep the machine busy: any of them may run out of its time.
    unlike = {
        name: one
        for one, (name, ill) in zip(told, ILLS.items(), strict=True)
        if one not in {*ill.told, SILENCE}
    }
    assert not unlike
    assert sum(hostile.sent for hostile in hostiles) <= READ_BYTES_MAX * len(hostiles)


def _leaf(authority: trustme.CA, *names: str, hours: int = 24) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = datetime.now(UTC) + timedelta(hours=hours)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context


def _old(authority: trustme.CA) -> ssl.SSLContext:
    context = _leaf(authority, "127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


CERTIFICATES: dict[str, Callable[[trustme.CA], ssl.SSLContext]] = {
    "for another host": lambda authority: _leaf(authority, "cases.example"),
    "for another address": lambda authority: _leaf(authority, "127.0.0.2"),
    "expired": lambda authority: _leaf(authority, "127.0.0.1", hours=-1),
    "by an unknown authority": lambda _: _leaf(trustme.CA(), "127.0.0.1"),
    "with TLS 1.1 alone": _old,
}


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_a_receiver_without_a_good_certificate_is_told_nothing(
    service: Served, well: tuple[CaseSystem, str], authority: trustme.CA, certificate: str
) -> None:
    heard: list[bytes] = []
    context = CERTIFICATES[certificate](authority)
    with Hostile(lambda wire: heard.append(wire.read_request()), context) as hostile:
        outcome = met(service, well, hostile, hostile.url("https"))

    assert outcome in {CERTIFICATE, NO_CONNECTION}
    assert not any(heard)


def test_a_receiver_with_a_good_certificate_is_delivered_to(
    service: Served, well: tuple[CaseSystem, str], authority: trustme.CA
) -> None:
    with Hostile(hangs(OK + b"Content-Length: 0\r\n\r\n"), _leaf(authority, "127.0.0.1")) as good:
        assert met(service, well, good, good.url("https")) == DELIVERED


HANDSHAKES: dict[str, Behaviour] = {
    "never answered": hangs(b""),
    "answered in clear": answers(OK + b"\r\n"),
    "answered by noughts": lambda wire: wire.flood(iter([b"\0" * 4096] * 1000)),
    "answered by a handshake without end": lambda wire: wire.flood(
        iter([b"\x16\x03\x03\x40\x00\x0b\xff\xff\xff" + b"\0" * 16_379] * 1000)
    ),
    "answered by warnings without end": lambda wire: wire.flood(
        iter([b"\x15\x03\x03\x00\x02\x01\x5a" * 500] * 1000)
    ),
    "reset": lambda wire: wire.reset(),
}


@pytest.mark.parametrize("handshake", HANDSHAKES)
def test_a_handshake_is_done_with(
    service: Served, well: tuple[CaseSystem, str], handshake: str
) -> None:
    with Hostile(HANDSHAKES[handshake]) as hostile:
        outcome = met(service, well, hostile, hostile.url("https"))

    assert outcome in {SILENCE, CERTIFICATE, NO_CONNECTION, HUNG_UP}


def test_an_answer_that_was_left_lying_is_not_taken_for_the_next_ones(service: Served) -> None:
    def answers_twice_then_never(wire: Wire) -> None:
        wire.read_request()
        wire.send((OK + b"Content-Length: 0\r\n\r\n") * 2)
        wire.hang()

    with Hostile(answers_twice_then_never) as hostile:
        endpoint = endpoint_at(service, hostile.url())
        service.send(endpoint)
        assert service.tried(endpoint)["last_outcome"] == DELIVERED
        hostile_before = hostile.came
        service.send(endpoint)
        patiently(lambda: hostile.came > hostile_before or None)


def test_name_servers_that_are_silent_hold_up_no_other_name(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {f"silent{n}.example": [Found(is_silent=True)] for n in range(20)}
    names = {**silent, "well.example": [Found(("127.0.0.1",))]}
    with NameServer(names) as server, CaseSystem() as system:
        server.be_asked(monkeypatch)
        port = system.url().partition("127.0.0.1:")[2]
        lost = [service.put_into_row(f"http://{name}:{port}") for name in silent]
        for endpoint in lost:
            service.send(endpoint)
        patiently(lambda: all(server.asked(name) for name in silent) or None)

        beside_s = delivered_beside(
            service, (system, service.put_into_row(f"http://well.example:{port}"))
        )
        told = {service.tried(endpoint, WITHIN_S)["last_outcome"] for endpoint in lost}

    assert beside_s < TIMEOUT_S
    assert told == {SILENCE}
