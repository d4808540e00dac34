"""Everything that can be read, asked for by everybody: each GET operation, each kind of token.

The operations come from the services' OpenAPI, so one that is added is asked for as well.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import httpx

from services.cli.tokens import AGENCY_SCOPES, AREA_SCOPES, PRACTITIONER_SCOPES, SCHOOL_SCOPES
from tests.system.leaks import LA
from tests.system.readers import NOBODY, Output, Reader
from tests.system.stack import FIRSTBELL
from tests.system.told_demo import SERVICES, Demo

MOST_OF_EACH = 3
"""Of pupils, alerts and so on that are asked for."""
Values = Mapping[str, Sequence[str]]


def reads_of(demo: Demo) -> Iterator[Output]:
    """Ask for everything with everybody's token."""
    values = _values(demo)
    for reader, client in _askers(demo):
        for service, path, names in _operations(demo):
            for filled in _filled(service, path, names, values):
                url = filled + ("?limit=500" if "limit" in names else "")
                answer = client.get(url)
                assert answer.status_code < 500, (url, answer.text)
                # What stands in the question is no news to whoever asked it.
                text = answer.text
                for part in filled.split("/"):
                    text = text.replace(part, "") if len(part) > 8 else text
                yield Output(f"read {path}", reader, text)


def _askers(demo: Demo) -> Iterator[tuple[Reader, httpx.Client]]:
    for (kind, id), reader in demo.readers.items():
        scope = PRACTITIONER_SCOPES if kind == "practitioner" else AGENCY_SCOPES
        yield reader, demo.client(**{kind: id, "scope": scope})
    for school in demo.data.authority.schools:
        reader = Reader(school.urn, "school's system", frozenset({school.urn}))
        yield reader, demo.client(urns=[school.urn], scope=SCHOOL_SCOPES)
    yield Reader(LA, "local_authority"), demo.client(las=[LA], scope=AREA_SCOPES)
    yield NOBODY, demo.client(las=["999"], scope=AREA_SCOPES)
    yield NOBODY, demo.client(urns=["999999"], scope=SCHOOL_SCOPES)


def _operations(demo: Demo) -> Iterator[tuple[str, str, set[str]]]:
    for service in SERVICES:
        document = demo.operator.get(f"/{service}/openapi.json").json()
        for path, operations in document["paths"].items():
            if "get" in operations:
                parameters = operations["get"].get("parameters", [])
                yield service, path, {one["name"] for one in parameters}


def _values(demo: Demo) -> Values:
    def ids(path: str, name: str = "id") -> list[str]:
        items = demo.operator.get(path, params={"limit": 500}).json()["items"]
        return [item[name] for item in items[:: max(1, len(items) // MOST_OF_EACH)]]

    endpoints = list(demo.endpoints.values())
    deliveries = [one for id in endpoints for one in ids(f"/notify/v1/endpoints/{id}/deliveries")]
    involved = list(demo.data.authority.involvements)
    return {
        "urn": [school.urn for school in demo.data.authority.schools],
        "upn": [*involved[:MOST_OF_EACH], *list(demo.data.school_of)[:MOST_OF_EACH]],
        "date": [str(demo.data.last)],
        "session": ["am", "pm"],
        "academic_year": [str(demo.data.authority.academic_year)],
        "receipt": demo.receipts[:MOST_OF_EACH],
        "bell": ids("/risk/v1/bells"),
        "la": [LA, "999"],
        "trust": ["none"],
        "agencies": [id for kind, id in demo.readers if kind == "agency"],
        "practitioners": [id for kind, id in demo.readers if kind == "practitioner"],
        "endpoints": endpoints[:: MOST_OF_EACH - 1],
        "deliveries": deliveries[:: max(1, len(deliveries) // 6)],
        "alerts": ids("/notify/v1/alerts"),
    }


def _filled(service: str, path: str, names: set[str], values: Values) -> Iterator[str]:
    # An `id` is one of what stands before it in the path.
    steps = path.split("/")
    chosen: list[Sequence[str]] = []
    for before, step in zip(["", *steps], steps, strict=False):
        name = step.strip("{}")
        if step == name:
            chosen.append([step])
        else:
            chosen.append(values[before if name == "id" else name])
    for parts in product(*chosen):
        yield f"/{service}" + "/".join(parts)


def records_of(demo: Demo) -> Iterator[Output]:
    """What a child is given of what is held about them: nothing of anybody else's."""
    said_of = {word.upn for word in demo.data.words.values() if word.field == "comment"}
    involved = [upn for upn in demo.data.authority.involvements if upn in said_of]
    for upn in involved[:MOST_OF_EACH]:
        reader = Reader(upn, "subject", upns=frozenset({upn}))
        record = demo.operator.get(f"/notify/v1/children/{upn}/record")
        yield Output("record", reader, record.raise_for_status().text)
        folder = demo.stack.data / "subject access" / upn
        yield Output("subject access, told", reader, _run(demo, "subject-access", upn, folder))
        for file in folder.iterdir():
            yield Output(f"subject access, {file.suffix}", reader, file.read_text())


COMMANDS = (("doctor",), ("ledger", "verify"), ("dead-letters", "list"), ("policy", "check"))


def commands_of(demo: Demo) -> Iterator[Output]:
    """What commands tell the operator."""
    for command in COMMANDS:
        yield Output(f"command {' '.join(command)}", NOBODY, _run(demo, *command))


def _run(demo: Demo, *command: str | Path) -> str:
    first, *rest = map(str, command)
    more = ["--out", rest.pop()] if first == "subject-access" else []
    if first not in {"doctor", "policy"}:
        more += ["--data", str(demo.stack.data)]
    ran = subprocess.run(
        [FIRSTBELL, first, *rest, *more],
        env=demo.stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    told = ran.stdout + ran.stderr
    assert "Usage" not in told, told
    return told
