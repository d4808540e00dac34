"""Every output of a running installation, scanned for every name, UPN and comment in its data.

Who may see what is told here by hand (`may_see`), and not by the policies.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.leaks import Data
from tests.system.outputs import (
    alerts_of,
    attacks_of,
    bells_of,
    operators_outputs,
    problems_of,
    webhooks_of,
)
from tests.system.readers import NAMES, NOBODY, Output, may_see
from tests.system.reads import commands_of, reads_of, records_of
from tests.system.receiver import Receiver
from tests.system.stack import STACKS, running
from tests.system.told_demo import Demo, Talkative

pytestmark = pytest.mark.timeout(900)


class Scan(NamedTuple):
    """What came out, and what must not have."""

    data: Data
    found: list[Output]
    secrets: set[str]


SOURCES = (
    alerts_of,
    webhooks_of,
    bells_of,
    reads_of,
    records_of,
    commands_of,
    problems_of,
    attacks_of,
    operators_outputs,
)


@pytest.fixture(scope="module", params=STACKS)
def outputs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scan]:
    folder = tmp_path_factory.mktemp("leaks")
    with Receiver() as receiver:
        with running(request.param, folder, Talkative) as stack:
            demo = Demo(stack, receiver)
            with demo.open:
                demo.settle()
                demo.push()
                found = [output for source in SOURCES for output in source(demo)]
        found.append(Output("spans", NOBODY, (folder / "spans").read_text()))
        logs = "".join(file.read_text() for file in sorted(folder.glob("*.out")))
        found.append(Output("the log", NOBODY, logs))
        yield Scan(demo.data, found, demo.secrets | keys_in(folder))


def keys_in(folder: Path) -> set[str]:
    """Return the keys that are kept in an installation's folder."""
    issuer = json.loads((folder / "issuer.json").read_text())
    files = [folder / "secrets.key", folder / "ledger.key"]
    return {issuer["d"], *(file.read_text().strip() for file in files)}


def test_no_output_holds_what_its_reader_may_not_see(
    outputs: Scan,
) -> None:
    data, found, _ = outputs

    leaks = [
        f"{output.where}: {word.field} (reader {output.reader.name})"
        for output in found
        for word in data.found_in(output.text)
        if not may_see(output.reader, word, data.school_of[word.upn])
    ]

    assert not leaks, f"{len(leaks)} leaks, e.g. {sorted(set(leaks))[:20]}"


def test_no_output_holds_a_token_a_key_or_a_webhooks_secret(outputs: Scan) -> None:
    _, found, secrets = outputs

    told = {output.where for output in found for secret in secrets if secret in output.text}

    assert not told
    assert len(secrets) > 20
    assert min(map(len, secrets)) > 20


def test_nobody_forges_a_line_of_the_log(outputs: Scan) -> None:
    lines = [line for line in outputs.found[-1].text.splitlines() if line.startswith("{")]

    events = {json.loads(line)["event"] for line in lines}

    assert "request answered" in events
    assert not {event for event in events if "forged" in event}


def test_the_scan_is_of_something(outputs: Scan) -> None:
    data, found, _ = outputs
    seen: dict[str, set[str]] = {}
    for output in found:
        fields = {word.field for word in data.found_in(output.text)}
        seen.setdefault(output.reader.kind, set()).update(fields)
    told = {output.where.partition(" ")[0] for output in found}

    assert seen["school"] >= {*NAMES, "upn"}
    assert seen["social_care"] >= {*NAMES, "social_care"}
    assert seen["local_authority"] >= {*NAMES, "upn"}
    assert seen["school's system"] >= {*NAMES, "upn", "comment", "social_care", "police"}
    assert seen["subject"] >= {*NAMES, "upn", "comment"}
    assert {
        "alerts",
        "webhook",
        "bells",
        "problem",
        "attack",
        "the",
        "checkpoints",
        "spans",
        "read",
        "record",
        "subject",
        "command",
    } <= told
    assert sum(output.where.startswith("problem") for output in found) > 100
    assert "ledger checkpoint" in found[-1].text
    assert data.found_in(" ".join(data.words)) == set(data.words.values())
