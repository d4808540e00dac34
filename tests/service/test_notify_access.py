"""Nobody without its scope calls anything; no UPN and no name in a problem or in a log line."""

import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from libs.common.settings import ServiceSettings
from services.notify.api.access import bearer
from tests.service.notify_app import ADA, Answer, CaseSystem, House, bell, running, works

ID = UUID(int=1)
CHILD = f"/v1/children/{ADA}"
CALLS = [
    ("PUT", "/v1/agencies/x", "directory:write"),
    ("GET", "/v1/agencies/x", "directory:read"),
    ("PUT", "/v1/practitioners/x", "directory:write"),
    ("GET", "/v1/practitioners/x", "directory:read"),
    ("PUT", f"{CHILD}/involvements", "directory:write"),
    ("GET", f"{CHILD}/involvements", "directory:read"),
    ("PUT", f"{CHILD}/restrictions", "directory:write"),
    ("GET", f"{CHILD}/restrictions", "directory:read"),
    ("POST", "/v1/involvements.csv", "directory:write"),
    ("GET", f"{CHILD}/record", "records:read"),
    ("POST", "/v1/endpoints", "endpoints:write"),
    ("GET", "/v1/endpoints", "endpoints:write"),
    ("GET", f"/v1/endpoints/{ID}", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/rotate-secret", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/challenge", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/verify", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/pause", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/resume", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/replay", "endpoints:write"),
    ("GET", f"/v1/deliveries/{ID}", "endpoints:write"),
    ("POST", f"/v1/endpoints/{ID}/test", "endpoints:write"),
    ("GET", f"/v1/endpoints/{ID}/deliveries", "endpoints:write"),
    ("POST", f"/v1/deliveries/{ID}/replay", "endpoints:write"),
    ("GET", "/v1/alerts", "alerts:read"),
    ("GET", f"/v1/alerts/{ID}", "alerts:read"),
    ("POST", f"/v1/alerts/{ID}/acknowledge", "alerts:write"),
    ("POST", f"/v1/alerts/{ID}/actions", "alerts:write"),
    ("POST", f"/v1/alerts/{ID}/close", "alerts:write"),
    ("POST", f"/v1/alerts/{ID}/approve", "alerts:write"),
    ("POST", f"/v1/alerts/{ID}/silence", "alerts:write"),
    ("POST", f"/v1/alerts/{ID}/hand-over", "alerts:write"),
    ("GET", "/v1/silences", "alerts:read"),
    ("POST", "/v1/silences", "alerts:write"),
    ("POST", f"/v1/silences/{ID}/end", "alerts:write"),
    ("GET", "/v1/hand-overs", "alerts:read"),
    ("POST", f"/v1/hand-overs/{ID}/accept", "alerts:write"),
    ("PUT", "/v1/practitioners/x/cover", "alerts:write"),
    ("GET", "/v1/practitioners/x/cover", "alerts:read"),
    ("DELETE", "/v1/practitioners/x/cover", "alerts:write"),
    ("PUT", "/v1/practitioners/x/preferences", "alerts:write"),
    ("GET", "/v1/practitioners/x/preferences", "alerts:read"),
    ("GET", "/v1/impact/schools/100000", "impact:read"),
    ("GET", "/v1/impact/agencies/x", "impact:read"),
    ("GET", "/v1/impact/areas/330", "impact:read"),
    ("POST", "/v1/sharing/decide", "sharing:decide"),
    ("GET", "/v1/disclosures", "disclosures:read"),
    ("GET", "/v1/disclosures/verify", "disclosures:read"),
]
SCOPES = sorted({scope for _, _, scope in CALLS})


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        yield house


async def test_the_table_above_has_every_call_and_every_scope(house: House) -> None:
    document = (await house.client.get("/openapi.json")).json()
    described = {
        (
            method.upper(),
            re.sub(r"\{(id|upn|urn|la)\}", "*", path).replace("{answer}", "accept"),
        )
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }

    def plain(path: str) -> str:
        for part in (str(ID), ADA, "100000", "330", "/x"):
            path = path.replace(part, "/*" if part == "/x" else "*")
        return path

    assert {(method, plain(path)) for method, path, _ in CALLS} == described
    assert set(SCOPES) == set(bearer.model.flows.clientCredentials.scopes)  # type: ignore[attr-defined]


async def test_without_a_token_or_with_every_other_scope_nothing_is_allowed(house: House) -> None:
    let_in = []
    for method, path, scope in CALLS:
        others = " ".join(other for other in SCOPES if other != scope)
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer nonsense"}, 401),
            (house.bearer(scope=others, practitioner="sam"), 403),
        ):
            answer = await house.client.request(method, path, json={}, headers=headers)
            if answer.status_code != status or answer.json()["status"] != status:
                let_in.append((method, path, status, answer.status_code))

    assert let_in == []


async def test_with_its_scope_each_call_is_past_the_door(house: House) -> None:
    shut = []
    for method, path, scope in CALLS:
        headers = house.bearer(scope=scope)
        answer = await house.client.request(method, path, json={}, headers=headers)
        if answer.status_code not in {200, 403, 404, 415, 422}:
            shut.append((method, path, answer.status_code))

    assert shut == []


def _keeps_from(practitioner: str) -> dict[str, str]:
    return {"kind": "relative", "practitioner": practitioner, "reason": "Ada Example's aunt"}


def problems_of(house: House) -> list[tuple[str, str, Any]]:
    mistyped = f"A{ADA[1:]}"
    return [
        ("PUT", f"/v1/children/{mistyped}/involvements", {"involvements": []}),
        ("GET", f"/v1/children/{mistyped}/record", None),
        ("GET", f"/v1/disclosures?upn={mistyped}", None),
        ("GET", f"/v1/disclosures?cursor={ADA}", None),
        ("GET", f"/v1/alerts/{ADA}", None),
        ("GET", f"/v1/agencies/{ADA}", None),
        ("GET", f"/v1/children/{ADA}/nothing", None),
        ("PUT", f"{CHILD}/involvements", {"involvements": [works(ADA)]}),
        ("PUT", f"{CHILD}/involvements", {"involvements": [works(role=ADA)]}),
        ("PUT", f"{CHILD}/involvements", {"involvements": [works(**{"from": ADA})]}),
        ("PUT", f"{CHILD}/involvements", {"involvements": [{ADA: "Ada Example"}]}),
        ("PUT", f"{CHILD}/involvements", {ADA: "Ada Example", "involvements": ADA}),
        ("PUT", f"{CHILD}/restrictions", {"restrictions": [{"kind": ADA, "reason": "Ada"}]}),
        ("PUT", f"{CHILD}/restrictions", {"restrictions": [_keeps_from(ADA)]}),
        ("GET", f"/v1/children/{mistyped}/restrictions", None),
        ("POST", f"/v1/alerts/{ID}/approve", {"decision": "refuse", "reason": [ADA]}),
        ("POST", "/v1/sharing/decide", {"bell": ADA}),
        ("POST", "/v1/endpoints", {"practitioner": ADA, "url": f"http://{ADA}@example.org"}),
        ("POST", f"/v1/alerts/{ID}/close", {"outcome": "Ada Example", "note": [ADA]}),
    ]


async def test_no_problem_document_repeats_a_upn_or_a_name(house: House) -> None:
    repeated = []
    for method, path, body in problems_of(house):
        answer = await house.client.request(method, path, json=body, headers=house.bearer())
        assert answer.status_code in {404, 422}, (method, path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        if ADA[1:] in answer.text or "Ada" in answer.text:
            repeated.append((method, path, answer.text))

    assert repeated == []


async def test_no_log_line_bears_a_upn_or_a_name(
    house: House, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as lines, CaseSystem(500, Answer(302), 410) as system:
        await house.settle()
        await house.endpoint(system.url())
        await house.tell(bell(), bell("withdrawn", 2))
        await system.has(3)
        house.by_policies(
            '@id("a") @basis("b") @source("s") permit (principal, action, resource) '
            'when { principal.shoe_size == "9" };'
        )
        await house.tell(bell(number=2))
        await house.execute("UPDATE involvements SET involvements = '[{\"from\": 5}]'")
        await house.tell(bell(number=3))  # a record that cannot be handled
        await house.execute("DROP TABLE alert")
        answer = await house.client.get("/v1/alerts", headers=house.bearer())
        for method, path, body in problems_of(house):
            await house.client.request(method, path, json=body, headers=house.bearer())

    assert answer.status_code >= 500
    assert {line["event"] for line in lines} >= {"dead letter"}
    # SQLAlchemy's and httpx's own lines too; the client of these tests logs its paths itself.
    others = [r.getMessage() for r in caplog.records if "http://firstbell/" not in r.getMessage()]
    said = json.dumps(lines, default=str) + "\n".join(others) + "".join(capfd.readouterr())
    assert ADA[1:] not in said
    assert "Ada" not in said
    assert "Example" not in said
