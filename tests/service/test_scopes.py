"""Every call needs the scopes that its document names: no token 401, one scope missing 403."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libs.common.settings import ServiceSettings
from services.up import SERVICES
from tests.conftest import serving

OPEN = {"/healthz", "/readyz"}
FILLED = {"urn": "100000", "upn": "B801200005001", "date": "2026-09-14", "session": "am"}
METHODS = {"get", "put", "post", "patch", "delete"}


def calls(document: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each call that needs a token, with the scopes that it needs."""
    for path, operations in document["paths"].items():
        for method in METHODS & operations.keys():
            needed = [s for one in operations[method].get("security", ()) for s in one["bearer"]]
            assert bool(needed) != (path in OPEN), f"{method} {path}"
            if needed:
                yield method, path.format_map(Parts()), needed


class Parts(dict[str, str]):
    """A path's parts; those that are not common to all are ids."""

    def __missing__(self, name: str) -> str:
        return FILLED.get(name, "330" if name == "la" else "2026")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_call_is_refused_when_any_scope_that_it_names_is_missing(
    settings: ServiceSettings, token: Callable[..., dict[str, str]], service: str
) -> None:
    app = SERVICES[service](settings)
    document = app.openapi()
    flows = document["components"]["securitySchemes"]["bearer"]["flows"]
    every = set(flows["clientCredentials"]["scopes"])
    async with serving(app, service, settings=settings) as client:
        for method, path, needed in calls(document):
            body = {"content": b"{}", "headers": {"content-type": "application/json"}}
            answer = await client.request(method, path, **body)
            assert answer.status_code == 401, f"{method} {path}"

            for scope in needed:
                assert scope in every
                body["headers"] |= token(scope=" ".join(every - {scope}), urns=["100000"])
                answer = await client.request(method, path, **body)
                assert answer.status_code == 403, f"{method} {path}: {answer.text}"
                assert scope in answer.json()["detail"]


async def test_a_schools_token_reads_and_writes_its_own_urns_alone(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    scope = "registers:write registers:read"
    own = token(scope=scope, urns=["100000"])
    async with serving(SERVICES["ingest"](settings), "ingest", settings=settings) as client:
        body = {"marks": [{"upn": "B801200005001", "code": "N"}]}
        for urn, status in (("100000", 202), ("100001", 403)):
            path = f"/v1/schools/{urn}/registers/2026-09-14/am"

            answer = await client.put(path, json=body, headers=own)

            assert answer.status_code == status


@pytest.mark.parametrize(
    "header", ["", "Basic YTpi", "Bearer", "Bearer ", "bearer x", "Bearer a b"]
)
async def test_what_is_no_bearer_token_is_none(settings: ServiceSettings, header: str) -> None:
    async with serving(SERVICES["risk"](settings), "risk", settings=settings) as client:
        answer = await client.get("/v1/bells", headers={"authorization": header})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
