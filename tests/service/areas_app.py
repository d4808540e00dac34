"""The real risk service with schools whose registers have come, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from libs.common.events import Event, RegisterTaken, RollChanged, RollPupil
from libs.common.school_day import Session
from libs.common.settings import ServiceSettings
from services.risk.main import create_app
from tests.conftest import serving
from tests.service.ingest_app import upn
from tests.service.test_risk import Risk
from tests.unit import databases

PRIMARY, SECONDARY, UNKNOWN = "100000", "100001", "100002"
LA = "801"
"""Which issued the made-up UPNs."""
MONDAY = date(2026, 9, 14)
NOW = datetime(2026, 9, 14, 8, 50, tzinfo=UTC)
TO = {"to": "2026-09-30"}
TRUST = {"id": "TR1", "name": "Made-up Trust"}


class House(Risk):
    """Risk, asked as different callers."""

    def __init__(
        self, app: Any, client: httpx.AsyncClient, token: Callable[..., dict[str, str]]
    ) -> None:
        super().__init__(app, client, token(scope="admin"))
        self.token = token

    async def ask(self, path: str, query: dict[str, str] | None = None, **claims: Any) -> Any:
        """Return the answer's body, or its status where it is an error."""
        headers = self.token(**claims) if claims else self.headers
        answer = await self.client.get(path, params=TO | (query or {}), headers=headers)
        return answer.json() if answer.is_success else answer.status_code

    async def place(self, urn: str, phase: str, la: str = LA, **more: Any) -> None:
        """Say what a school is counted under."""
        answer = await self.client.put(
            f"/v1/schools/{urn}", json={"la": la, "phase": phase, **more}, headers=self.headers
        )
        assert answer.status_code == 200, answer.text


def register(urn: str, codes: str, first: int, day: date = MONDAY) -> RegisterTaken:
    """Return a morning's register: a code for each pupil, from the `first` one."""
    return RegisterTaken(
        occurred_at=NOW, urn=urn, day=day, session=Session.am, group=None, revision=1,
        upns=[upn(first + n) for n in range(len(codes))], codes=list(codes),
    )  # fmt: skip


def roll(urn: str, pupils: Sequence[tuple[int, date, str | None]]) -> RollChanged:
    """Return a roll of pupils by number, date of birth, and authority of their home."""
    return RollChanged(
        occurred_at=NOW,
        urn=urn,
        revision=1,
        pupils=[
            RollPupil(
                upn=upn(number), given_name="Ada", family_name="Example", date_of_birth=born,
                year_group="7", entered_on=date(2026, 9, 1), home_la=home,
            )
            for number, born, home in pupils
        ],
    )  # fmt: skip


EVENTS: tuple[Event, ...] = (
    register(PRIMARY, "/" * 11 + "I", first=1),
    register(SECONDARY, "/" * 5 + "OOOO", first=101),
    register(UNKNOWN, "//I", first=201),
)


@asynccontextmanager
async def running(
    kind: str, folder: Path, settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> AsyncIterator[House]:
    """Run risk on this kind of database, with a trust of two schools and a school unplaced."""
    async with databases.empty(kind, folder) as url:
        own = settings.model_copy(update={"database_url": url})
        app = create_app(own)
        async with serving(app, "risk", settings=own) as client:
            house = House(app, client, token)
            await house.tell(*EVENTS)
            await house.place(PRIMARY, "primary", trust=TRUST)
            await house.place(SECONDARY, "secondary", trust=TRUST)
            yield house
