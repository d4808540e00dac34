"""The real ingest app over ASGI, with a real SQLite file."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from libs.common.auth import Issuer
from libs.common.identifiers import check_letter
from libs.common.settings import ServiceSettings
from services.ingest.main import create_app
from tests.conftest import migrate

URN = "100000"
OTHER_URN = "100001"
DAY = date(2026, 9, 14)
URL = f"/v1/schools/{URN}/registers/{DAY}/am"
SCOPES = "registers:write registers:read roll:write roll:read calendar:write calendar:read"


def upn(number: int) -> str:
    """Return the nth made-up pupil's UPN, with its check letter."""
    rest = f"801200{number:06d}"
    return check_letter(rest) + rest


def register(codes: str, first: int = 1, **more: Any) -> dict[str, Any]:
    """Return a register: a code for each pupil, from the `first` one."""
    marks = [{"upn": upn(first + i), "code": code} for i, code in enumerate(codes)]
    return {"marks": marks, **more}


def settings_in(folder: Path, **more: Any) -> ServiceSettings:
    """Return settings that keep everything in this folder."""
    return ServiceSettings(
        database_url=f"sqlite+aiosqlite:///{folder}/{{service}}.db", data_dir=folder, **more
    )


def headers_of(
    folder: Path, scope: str = SCOPES, urns: tuple[str, ...] = (URN,), **more: Any
) -> dict[str, str]:
    """Return the header of a school's token; `more` are further claims."""
    issuer = Issuer(folder, "firstbell", "firstbell")
    token = issuer.token("school-1", timedelta(hours=1), scope=scope, urns=list(urns), **more)
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def running(
    folder: Path, headers: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Run the app and give a client whose token speaks for `URN`."""
    settings = settings_in(folder, **more)
    await migrate("ingest", settings)
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://ingest",
            headers=headers_of(folder) if headers is None else headers,
        ) as client,
    ):
        yield app, client
