"""Webhooks through an egress proxy: a small real one, for CONNECT, and receivers with certificates.

With a proxy, names are looked up by it, and what they lead to is its to refuse; addresses that are
numbers, and names that are never public, do not even come to it.
"""

import ipaddress
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.listening import SocketServer
from tests.service.canary import Canary, connects
from tests.service.hostile import OK, Hostile, hangs
from tests.service.served_notify import Served, served, settings_in
from tests.service.ssrf_vectors import V4, V6

FINE = OK + b"Content-Length: 0\r\n\r\n"
KNOWN = "cases.example"


class Proxy(SocketServer):
    """Joins whoever asks for `cases.example` with one receiver, and refuses all else."""

    def __init__(self) -> None:
        super().__init__(socket.create_server(("127.0.0.1", 0)))
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.leads_to: int | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://proxy:word@127.0.0.1:{self.port}"

    def _take(self) -> None:
        came, _ = self._door.accept()
        self._start(self._meet, came)

    def _meet(self, came: socket.socket) -> None:
        with came:
            head = came.recv(65_536).decode()
            method, target, _ = head.split(" ", 2)
            self.heads.append(head)
            self.asked.append(f"{method} {target}")
            if self.leads_to is None or target.partition(":")[0] != KNOWN:
                came.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.leads_to)) as onward:
                came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._join(came, onward)

    def _join(self, one: socket.socket, other: socket.socket) -> None:
        ways = {one: other, other: one}
        while not self.closing.is_set():
            for ready in select.select(list(ways), [], [], 0.05)[0]:
                try:
                    data = ready.recv(65_536)
                    ways[ready].sendall(data)
                except OSError:
                    return
                if not data:
                    return


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, proxy: Proxy, authority: trustme.CA
) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("proxied")
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        with served(settings_in(folder, egress_proxy=proxy.url, delivery_timeout_s=5)) as running:
            yield running


def posted_through(service: Served, proxy: Proxy, authority: trustme.CA, name: str) -> str:
    """Send to https://cases.example, behind which a receiver has a certificate for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with Hostile(hangs(FINE), context) as receiver:
        proxy.leads_to = int(receiver.url().rpartition(":")[2].partition("/")[0])
        try:
            return service.posted(f"https://{KNOWN}/hook")
        finally:
            proxy.leads_to = None


def test_a_webhook_goes_through_the_proxy_and_its_receiver_is_verified_beyond_it(
    service: Served, proxy: Proxy, authority: trustme.CA
) -> None:
    proxy.asked.clear()
    connects(service.port)

    assert posted_through(service, proxy, authority, KNOWN) == "delivered (200)"

    assert proxy.asked == [f"CONNECT {KNOWN}:443"]
    assert "webhook-signature" not in proxy.heads[-1].lower()
    assert "proxy-authorization: basic" in proxy.heads[-1].lower()


def test_a_receiver_beyond_the_proxy_without_its_own_certificate_is_told_nothing(
    service: Served, proxy: Proxy, authority: trustme.CA
) -> None:
    outcome = posted_through(service, proxy, authority, "other.example")

    assert outcome == "its certificate is not valid"


def test_what_the_proxy_refuses_is_told_as_such_and_not_tried_without_it(
    service: Served, proxy: Proxy
) -> None:
    connects(service.port)

    outcome = service.posted("https://inside.example/hook")

    assert outcome == "the proxy refused"
    assert proxy.asked[-1] == "CONNECT inside.example:443"
    assert len(connects(service.port)) == 1  # to the proxy itself


HOSTS = [host.strip("!") for host in V4] + [f"[{host.strip('!')}]" for host in V6]
HOSTS += ["localhost", "metadata.google.internal", "printer.local", "postgres"]


def test_no_number_of_an_inner_address_and_no_inner_name_comes_to_the_proxy(
    service: Served, proxy: Proxy
) -> None:
    with Canary() as canary:
        for host in HOSTS:
            proxy.asked.clear()
            url = f"https://{host}:{canary.port}/"
            assert service.add(url).status_code == 422, host
            assert service.posted(url) == "not a public address", host
            assert proxy.asked == [], host

        assert canary.came == 0


def test_a_proxy_that_is_away_is_not_gone_round(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with served(settings_in(tmp_path, egress_proxy=away)) as service:
            connects(service.port)

            outcome = service.posted(f"https://{KNOWN}/hook")
            tried = connects(service.port)

    assert outcome == "the proxy cannot be connected to"
    assert all(ipaddress.ip_address(host).is_loopback for host in tried)
