"""Each service holds to its own OpenAPI document, whatever a client may send (schemathesis)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from libs.common import migrations
from libs.common.auth import Issuer
from libs.common.settings import ServiceSettings
from services.up import SERVICES
from tests.listening import listening
from tests.unit import databases

CONFIG = str(Path(__file__).with_name("schemathesis.toml"))
ST = str(Path(sys.executable).with_name("st"))
EFFORT = [
    *("--phases", "examples,coverage,fuzzing,stateful"),
    *("--max-examples", "10", "--seed", "7", "--generation-deterministic"),
    # Check letters, cursors and days that have been are more than a schema can say.
    *("--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all"),
    *("--request-timeout", "10", "--continue-on-failure", "--no-color", "--warnings", "off"),
]
"""The same few inputs each time, and every edge that the document itself names."""


@pytest.fixture(params=databases.BOTH)
async def guarded(
    request: pytest.FixtureRequest, settings: ServiceSettings
) -> AsyncIterator[ServiceSettings]:
    """Settings as in a cluster: webhooks to public addresses alone."""
    async with databases.empty(request.param, settings.data_dir) as url:
        yield settings.model_copy(update={"database_url": url, "allow_private_endpoints": False})


@pytest.fixture(params=list(SERVICES))
async def service(request: pytest.FixtureRequest, guarded: ServiceSettings) -> FastAPI:
    await migrations.upgrade(request.param, guarded.database_url)
    return SERVICES[request.param](guarded)


def schemathesis(app: FastAPI, folder: Path, *more: str) -> str:
    """Try the running app; return what was found against it, or nothing."""
    with listening(app) as address:
        command = [ST, "--config-file", CONFIG, "run", f"{address}/openapi.json", *EFFORT, *more]
        env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.service.openapi_hooks"}
        env["PYTHONPATH"] = str(Path.cwd())
        tried = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return "" if tried.returncode == 0 else tried.stdout + tried.stderr


def test_with_a_token_for_everything(
    service: FastAPI, settings: ServiceSettings, tmp_path: Path
) -> None:
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    token = issuer.token("admin", timedelta(hours=1), scope="admin")

    found = schemathesis(service, tmp_path, "--header", f"Authorization: Bearer {token}")

    assert not found, found


ROLES: dict[str, dict[str, dict[str, Any]]] = {
    "ingest": {"school": {"urns": ["100000"]}},
    "risk": {"school": {"urns": ["100000"]}, "authority": {"agency": "authority"}},
    "notify": {"practitioner": {"practitioner": "sam"}, "agency": {"agency": "care"}},
}
"""Claims of each role's token; it bears every scope of its service, but none beyond its own."""


@pytest.mark.parametrize(
    ("name", "role"), [(name, role) for name, roles in ROLES.items() for role in roles]
)
async def test_with_each_roles_token(
    name: str, role: str, settings: ServiceSettings, tmp_path: Path
) -> None:
    await migrations.upgrade(name, settings.database_url)
    app = SERVICES[name](settings.model_copy(update={"allow_private_endpoints": False}))
    flows = app.openapi()["components"]["securitySchemes"]["bearer"]["flows"]
    scopes = set(flows["clientCredentials"]["scopes"]) - ({"area"} if role == "school" else set())
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    claims = {"scope": " ".join(scopes), **ROLES[name][role]}
    token = issuer.token(role, timedelta(hours=1), **claims)
    more = ("--phases", "examples,coverage", "--header", f"Authorization: Bearer {token}")

    found = await asyncio.to_thread(schemathesis, app, tmp_path, *more)

    assert not found, found


@pytest.mark.parametrize("name", SERVICES)
async def test_without_a_token(name: str, settings: ServiceSettings, tmp_path: Path) -> None:
    # Nobody gets as far as the database, so one kind of it is enough.
    await migrations.upgrade(name, settings.database_url)
    app = SERVICES[name](settings)

    found = await asyncio.to_thread(schemathesis, app, tmp_path, "--phases", "coverage")

    assert not found, found
