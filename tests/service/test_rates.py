"""Rate limits over HTTP: a problem with Retry-After, and nobody else's calls refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from libs.common.auth import Issuer
from libs.common.problems import MEDIA_TYPE
from libs.common.settings import ServiceSettings
from services.ingest import accept
from services.ingest.main import create_app
from services.up import SERVICES
from tests.conftest import serving
from tests.service.ingest_app import DAY, SCOPES, register, settings_in


def header(settings: ServiceSettings, subject: str, *urns: str) -> dict[str, str]:
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    scope = f"{SCOPES} rules:read"
    token = issuer.token(subject, timedelta(hours=1), scope=scope, urns=list(urns))
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def slow(tmp_path: Path) -> ServiceSettings:
    return settings_in(tmp_path, client_calls_per_s=0.1, client_calls_at_once=3)


@pytest.fixture
async def risk(slow: ServiceSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(SERVICES["risk"](slow), "risk", settings=slow) as client:
        yield client


async def test_a_client_over_its_rate_is_told_when_to_go_on(
    risk: httpx.AsyncClient, slow: ServiceSettings
) -> None:
    answers = [await risk.get("/v1/rules", headers=header(slow, "vendor")) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.headers["content-type"] == MEDIA_TYPE
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["type"] == "urn:firstbell:problem:too-many-requests"
    other = await risk.get("/v1/rules", headers=header(slow, "another"))
    assert other.status_code == 200
    assert (await risk.get("/healthz")).status_code == 200


async def test_a_token_that_opens_nothing_uses_up_nobodys_rate(
    risk: httpx.AsyncClient, slow: ServiceSettings
) -> None:
    for _ in range(9):
        await risk.get("/v1/bells", headers=header(slow, "vendor"))

    assert (await risk.get("/v1/rules", headers=header(slow, "vendor"))).status_code == 200


async def test_a_morning_of_a_whole_authority_through_one_token_is_let_through(
    settings: ServiceSettings,
) -> None:
    buckets = SERVICES["ingest"](settings).state.clients

    # 250 secondary schools with forty groups each, all at 9:15.
    assert not any(buckets.take("vendor") for _ in range(10_000))


@pytest.mark.parametrize("name", SERVICES)
def test_each_call_that_needs_a_token_tells_of_the_rate(
    name: str, settings: ServiceSettings
) -> None:
    paths = SERVICES[name](settings).openapi()["paths"]
    guarded = [one for path in paths.values() for one in path.values() if "security" in one]

    assert guarded
    assert all("429" in one["responses"] for one in guarded)


async def test_a_school_with_too_many_waiting_is_refused_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "SCHOOL_REGISTERS_MAX", 5)
    settings = settings_in(tmp_path)
    app = create_app(settings)
    both = header(settings, "vendor", "100000", "100001")

    def put(urn: str, group: int) -> asyncio.Task[httpx.Response]:
        path = f"/v1/schools/{urn}/registers/{DAY}/am"
        body = register("/", first=group + 1, group=f"G{group}")
        return asyncio.create_task(client.put(path, json=body, headers=both))

    async with serving(app, "ingest", settings=settings) as client:
        many = [put("100000", group) for group in range(60)]
        one = put("100001", 100)
        answers = await asyncio.gather(*many)

        assert (await one).status_code == 202
    statuses = {answer.status_code for answer in answers}
    assert statuses == {202, 429}
    assert all("retry-after" in a.headers for a in answers if a.status_code == 429)
