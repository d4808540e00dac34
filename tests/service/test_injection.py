"""Texts that a reader might run, split or show: kept as they are, and told as text."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from libs.common.settings import ServiceSettings
from services.up import SERVICES, create_app
from tests.conftest import serving
from tests.service.ingest_app import DAY, URN, upn
from tests.system.attacks import injected

ADA = upn(1)
TEXTS = [text for text in injected(["Example"]) if len(text) <= 60]


def pupil(name: str) -> dict[str, object]:
    return {
        "upn": ADA, "given_name": name, "family_name": "Example", "date_of_birth": "2014-02-03",
        "year_group": "7", "entered_on": "2020-09-01",
    }  # fmt: skip


@pytest.fixture
def operator(token: Callable[..., dict[str, str]]) -> dict[str, str]:
    return token(scope="admin")


async def test_a_text_comes_back_as_it_was_sent_and_as_nothing_else(
    settings: ServiceSettings, operator: dict[str, str]
) -> None:
    async with serving(create_app(settings), *SERVICES, settings=settings) as client:
        client.headers.update(operator)
        for text in TEXTS:
            body = {"name": text, "kind": "social_care", "la": "801"}
            await client.put("/notify/v1/agencies/care", json=body)
            await client.put(f"/ingest/v1/schools/{URN}/roll", json={"pupils": [pupil(text)]})
            mark = {"upn": ADA, "code": "I", "comment": text}
            path = f"/ingest/v1/schools/{URN}/registers/{DAY}/am"
            await client.put(path, json={"marks": [mark]})

            agency = await client.get("/notify/v1/agencies/care")
            roll = await client.get(f"/ingest/v1/schools/{URN}/roll")
            register = await client.get(path)

            assert agency.json()["name"] == text
            assert roll.json()["items"][0]["given_name"] == text
            assert register.json()["marks"][0]["comment"] == text
            for answer in (agency, roll, register):
                assert answer.headers["content-type"] == "application/json"
                assert "set-cookie" not in answer.headers


async def test_a_text_in_a_query_selects_nothing_and_changes_nothing(
    settings: ServiceSettings, operator: dict[str, str]
) -> None:
    async with serving(create_app(settings), *SERVICES, settings=settings) as client:
        client.headers.update(operator)
        await client.put("/notify/v1/agencies/care", json={"name": "Care", "kind": "social_care"})

        answers: list[httpx.Response] = await asyncio.gather(
            *[
                client.get(path, params={name: text})
                for text in injected(["Example"])
                for path in ("/risk/v1/bells", "/notify/v1/alerts", "/notify/v1/disclosures")
                for name in ("upn", "urn", "kind", "status", "cursor", "raised_from")
            ]
        )

        assert {answer.status_code for answer in answers} <= {200, 422}
        assert all(answer.json()["items"] == [] for answer in answers if answer.is_success)
        assert (await client.get("/notify/v1/agencies/care")).json()["name"] == "Care"
