"""The notify service as it runs in earnest, on uvloop behind a socket, asked from outside."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx

from libs.common.auth import ADMIN, Issuer
from libs.common.settings import ServiceSettings
from services.notify.main import create_app
from tests.conftest import migrate
from tests.listening import listening
from tests.patience import PATIENCE_S

T = TypeVar("T")
PUBLIC = "https://93.184.215.14/"


def settings_in(folder: Path, **more: Any) -> ServiceSettings:
    """Return settings for a service whose files lie in a folder; it tries a message once a test."""
    url = f"sqlite+aiosqlite:///{folder}/{{service}}.db"
    return ServiceSettings(**{"retry_base_s": 300, **more}, database_url=url, data_dir=folder)


class Served:
    """The running service; its directory has Sam, a social worker."""

    def __init__(self, client: httpx.Client, settings: ServiceSettings) -> None:
        self.client = client
        self.port = client.base_url.port
        self._file = settings.data_dir / "notify.db"

    def settle(self) -> None:
        """Fill the directory."""
        agency = {"name": "Care", "kind": "social_care", "la": "801"}
        worker = {"name": "Sam Worker", "agency": "care", "roles": ["social_worker"]}
        self.client.put("/v1/agencies/care", json=agency).raise_for_status()
        self.client.put("/v1/practitioners/sam", json=worker).raise_for_status()

    def add(self, url: str) -> httpx.Response:
        """Ask for an endpoint with this address."""
        return self.client.post("/v1/endpoints", json={"practitioner": "sam", "url": url})

    def put_into_row(self, url: str) -> str:
        """Return an endpoint whose address was changed behind the service's back."""
        id = str(self.add(PUBLIC).raise_for_status().json()["id"])
        with closing(sqlite3.connect(self._file, timeout=10)) as db, db:
            values = (url, UUID(id).hex)
            assert db.execute("UPDATE endpoint SET url = ? WHERE id = ?", values).rowcount == 1
        return id

    def send(self, endpoint: str) -> None:
        """Have a test message sent."""
        self.client.post(f"/v1/endpoints/{endpoint}/test").raise_for_status()

    def tried(self, endpoint: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until the endpoint's message has been tried; return it."""
        path = f"/v1/endpoints/{endpoint}/deliveries"

        def once() -> dict[str, Any] | None:
            (delivery,) = self.client.get(path).raise_for_status().json()["items"]
            return dict(delivery) if delivery["attempts"] else None

        return patiently(once, patience_s)

    def posted(self, url: str) -> str:
        """Put an address into a row, send there, and return what came of the first attempt."""
        endpoint = self.put_into_row(url)
        self.send(endpoint)
        return str(self.tried(endpoint)["last_outcome"])


def patiently(asked: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
    """Ask until there is an answer."""
    until = time.monotonic() + patience_s
    while (answer := asked()) is None:
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return answer


@contextmanager
def served(settings: ServiceSettings) -> Iterator[Served]:
    """Run the service."""
    asyncio.run(migrate("notify", settings))
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    bearer = issuer.token("test", timedelta(hours=1), scope=ADMIN)
    headers = {"authorization": f"Bearer {bearer}"}
    with (
        listening(create_app(settings)) as url,
        httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client,
    ):
        made = Served(client, settings)
        made.settle()
        yield made
