"""Every operation x every kind of caller: the operations are the OpenAPI documents' own.

The table `authorisation.txt` says what each caller with the call's scopes gets, and must have a row
for each operation: one without is a failed test, and so is a row without its operation.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from libs.common.settings import ServiceSettings
from services.up import SERVICES, create_app
from tests.bad_tokens import bad_tokens
from tests.conftest import serving
from tests.service.matrix import BEFORE, BODIES, Call, Installation, calls

TABLE = Path(__file__).with_name("authorisation.txt")
OPEN = {"/healthz", "/readyz"}
NOBODYS = str(UUID(int=7))


def table() -> tuple[list[str], dict[str, list[str]]]:
    """Return the columns and the rows of the table."""
    lines = TABLE.read_text().splitlines()
    rows = [line.split("|") for line in lines if "|" in line and not line.startswith("#")]
    (_, head), *body = rows
    return head.split(), {name.strip(): cells.split() for name, cells in body}


def outcome(answer: httpx.Response) -> str:
    """Return what a caller got, in the table's words."""
    if answer.status_code in {401, 403}:
        return "no"
    if answer.status_code == 404:
        return "hidden"
    # What the caller may do and does not fit any more is the caller's to do.
    assert answer.is_success or answer.status_code == 409, answer.text
    if answer.headers.get("content-type") == "application/x-ndjson":
        statuses = [json.loads(line).get("status") for line in answer.text.splitlines()]
        return "no" if statuses == [403] else "yes"
    told = answer.json() if answer.content else {}
    nothing = told.get("items") == [] or told.get("sessions_possible") == 0
    return "nothing" if nothing else "yes"


@pytest.fixture
async def installation(settings: ServiceSettings) -> AsyncIterator[Installation]:
    async with serving(create_app(settings), *SERVICES, settings=settings) as client:
        yield Installation(client, settings)


async def filled(installation: Installation, settings: ServiceSettings) -> list[Call]:
    """Fill the installation; return every operation."""
    ids = await installation.settle()
    BODIES["notify POST /v1/sharing/decide"] = BODIES["notify POST /v1/alerts/{id}/close"]._replace(
        content=json.dumps({"bell": ids["bell"]}).encode()
    )
    documents = {name: create(settings).openapi() for name, create in SERVICES.items()}
    return list(calls(documents, ids))


async def test_each_caller_gets_what_the_table_says(
    installation: Installation, settings: ServiceSettings
) -> None:
    columns, rows = table()
    every = await filled(installation, settings)
    by_name = {call.name: call for call in every}
    guarded = [call for call in every if call.template not in OPEN]
    assert {call.name for call in guarded} == rows.keys(), "a row for each operation, and no other"

    found = {}
    for call in guarded:
        cells = []
        for column in columns:
            if call.name in BEFORE:
                await installation.send(by_name[BEFORE[call.name]], installation.operator)
            answer = await installation.send(call, installation.caller(column, call.scopes))
            cells.append(outcome(answer))
        found[call.name] = cells

    assert found == rows, "\n".join(
        f"{name:64}| {' '.join(cells)}" for name, cells in found.items() if cells != rows[name]
    )


async def test_what_is_anothers_looks_as_if_it_were_not_there(
    installation: Installation, settings: ServiceSettings
) -> None:
    columns, rows = table()
    every = {call.name: call for call in await filled(installation, settings)}
    seen = 0
    for name, cells in rows.items():
        call = every[name]
        ids = [part for part in call.path.split("/") if part.count("-") == 4]
        for column, cell in zip(columns, cells, strict=True):
            if cell == "hidden" and ids:
                header = installation.caller(column, call.scopes)
                theirs = await installation.send(call, header)
                nobodys = await installation.send(call, header, call.path.replace(ids[0], NOBODYS))
                assert theirs.status_code == nobodys.status_code == 404, (name, column)
                assert theirs.content == nobodys.content, (name, column)
                assert theirs.headers.keys() == nobodys.headers.keys()
                seen += 1
    assert seen > 30


async def test_a_token_that_does_not_hold_opens_nothing(
    installation: Installation, settings: ServiceSettings
) -> None:
    every = await filled(installation, settings)
    tokens = bad_tokens(settings.data_dir)
    for call in every:
        for kind, token in tokens.items():
            header = {"authorization": f"Bearer {token}"} if token else {}
            answer = await installation.send(call, header)
            expected = 200 if call.template in OPEN else 401
            assert answer.status_code == expected, (kind, call.name)
            if expected == 401:
                assert answer.headers["www-authenticate"] == "Bearer"
                assert not token or token not in answer.text


async def test_each_scope_alone_opens_its_own_calls_and_no_other(
    installation: Installation, settings: ServiceSettings
) -> None:
    every = [call for call in await filled(installation, settings) if call.template not in OPEN]
    for scope in [*sorted({one for call in every for one in call.scopes}), "", "root"]:
        header = installation.header(scope=scope)
        for call in every:
            if {scope} != set(call.scopes):
                answer = await installation.send(call, header)
                assert answer.status_code == 403, (scope, call.name)
