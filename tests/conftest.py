"""Fixtures that every test may use: settings in a fresh folder, tokens, and patience."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from libs.common import migrations
from libs.common.auth import Issuer
from libs.common.settings import ServiceSettings
from tests.patience import PATIENCE_S
from tests.system import earlier

# Before anything imports the rules: each call of compiled code checks its arguments' types.
os.environ["FIRSTBELL_TEST_CHECKED_KERNELS"] = "1"


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """Settings of an embedded installation in a folder of this test's own."""
    return ServiceSettings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        data_dir=tmp_path,
        allow_private_endpoints=True,
        retry_base_s=0.05,
    )


@pytest.fixture
def token(settings: ServiceSettings) -> Callable[..., dict[str, str]]:
    """Return headers with a token that bears the given claims, e.g. `token(scope="admin")`."""
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)

    def headers(**claims: Any) -> dict[str, str]:
        bearer = issuer.token("test", timedelta(minutes=5), **claims)
        return {"Authorization": f"Bearer {bearer}"}

    return headers


_MIGRATED: dict[str, bytes] = {}
"""Each service's SQLite file just after its migrations: made once, then copied."""


async def migrate(service: str, settings: ServiceSettings) -> None:
    """Bring a service's tables up to date; a new SQLite file comes ready-made."""
    kind, _, path = settings.database_url.replace("{service}", service).partition(":///")
    new = kind.startswith("sqlite") and not _exists(path)
    if new and service in _MIGRATED:
        _write(path, _MIGRATED[service])
        return
    await migrations.upgrade(service, settings.database_url)
    if new:
        _MIGRATED[service] = _whole(path)


def _exists(path: str) -> bool:
    return Path(path).exists()


def _write(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


def _whole(path: str) -> bytes:
    with closing(sqlite3.connect(path)) as database:
        return database.serialize()


@asynccontextmanager
async def serving(
    app: FastAPI, *services: str, settings: ServiceSettings
) -> AsyncIterator[httpx.AsyncClient]:
    """Migrate, start the app, and give a client that speaks to it."""
    for service in services:
        await migrate(service, settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://firstbell") as client,
    ):
        yield client


async def until(true: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until the answer is true; return it."""
    async with asyncio.timeout(patience_s):
        while not (answer := await true()):
            await asyncio.sleep(0.02)
        return answer


NEEDS = {"kafka": "FIRSTBELL_TEST_KAFKA", "postgres": "FIRSTBELL_TEST_POSTGRES"}
"""What a marked test needs, and the variable that says where it is."""
CHROMIUM = Path("/usr/bin/chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and name in the closing lines, what this machine has no servers for.

    What runs an earlier version of this repository is left out of a copy without its history, and
    named too: nothing that could be installed would bring it back.
    """
    without = [i for i in items if i.get_closest_marker("history") and not earlier.is_here()]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    for item in items:
        for name, variable in NEEDS.items():
            if item.get_closest_marker(name) and variable not in os.environ:
                reason = f"{variable} is not set: scripts/{name}-start starts one"
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("chromium") and not CHROMIUM.exists():
            reason = f"{CHROMIUM} is missing: scripts/install-system-packages installs it"
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what needs a history that this copy of the repository does not have."""
    if not earlier.is_here():
        what = f"commit {earlier.EARLIER[:7]} is not in this copy: clone it with its history"
        terminalreporter.write_line(f"LEFT OUT tests/system/test_upgrade.py: {what}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where nothing may be left out: in continuous integration."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and "FIRSTBELL_TEST_EVERYTHING" in os.environ:
        skipped = reporter.stats.get("skipped", ())
        if skipped:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
