"""A database lost and brought back as it was at a moment: the bells come out the same.

Kafka keeps what the services published after that moment; each service's store of positions came
back with its database, so each reads from there on again.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.receiver import Receiver
from tests.system.servers import Servers, own_servers, run
from tests.system.stack import ADA, URN, Stack, clustered, people, put, wait_for

SERVICES = ("ingest", "risk", "notify")
BEN = "J801200005002"
MONDAY = date(2026, 9, 7)

pytestmark = [
    pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(300),
]  # fmt: skip


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    with own_servers() as made:
        monkeypatch.setenv("FIRSTBELL_TEST_POSTGRES", made.url)
        monkeypatch.setenv("FIRSTBELL_TEST_KAFKA", made.broker)
        yield made


@pytest.fixture
def stack(servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    running = clustered(tmp_path)
    try:
        running.wait_ready(*SERVICES)
        yield running
    finally:
        running.stop()


def push(stack: Stack, first_day: int, code: str, days: int = 5) -> None:
    """A week's registers of both children, Ada's marks by `code`, Ben's unauthorised."""
    school = stack.client("ingest", "school", "--urn", URN)
    for day in (MONDAY + timedelta(days=first_day + n) for n in range(days)):
        for session in ("am", "pm"):
            marks = [{"upn": ADA, "code": code}, {"upn": BEN, "code": "O"}]
            put(school, f"/ingest/v1/schools/{URN}/registers/{day}/{session}", {"marks": marks})


def rung(stack: Stack) -> list[dict[str, Any]]:
    found = stack.client("risk", "admin").get("/risk/v1/bells", params={"urn": URN}).json()["items"]
    return sorted(({**bell, "raised_at": None} for bell in found), key=lambda bell: bell["id"])


def told(stack: Stack) -> dict[str, tuple[str, str]]:
    found = stack.client("notify", "practitioner", "--id", "sam").get("/notify/v1/alerts").json()
    return {alert["id"]: (alert["kind"], alert["status"]) for alert in found["items"]}


def settled(stack: Stack, receiver: Receiver) -> Any:
    """Return what is rung, told and sent once it has not changed for two seconds."""
    seen: list[Any] = []

    def still() -> bool:
        seen.append((rung(stack), told(stack), len(receiver.received)))
        return len(seen) > 40 and all(one == seen[-1] for one in seen[-40:])

    wait_for(still)
    return seen[-1]


def test_a_database_brought_back_to_a_moment_rings_the_same_bells(
    stack: Stack, servers: Servers
) -> None:
    with Receiver() as receiver:
        people(stack, receiver)
        push(stack, 0, "/")
        settled(stack, receiver)
        run("postgres-backup", servers.postgres, servers.backup)
        stack.wait_ready(*SERVICES)
        push(stack, 7, "N")
        settled(stack, receiver)
        moment = servers.sql("select clock_timestamp()")
        push(stack, 14, "I")
        push(stack, 7, "I", days=2)  # a correction, lost with the rest
        bells, alerts, _ = settled(stack, receiver)
        ids = {one.webhook_id for one in receiver.received}
        servers.sql("select pg_switch_wal()")
        for service in SERVICES:
            stack.kill(service)

        run("postgres-restore", servers.postgres, servers.backup, moment)
        for service in SERVICES:
            stack.start(service)
        stack.wait_ready(*SERVICES)

        again, alerts_again, _ = settled(stack, receiver)
        assert len({bell["kind"] for bell in bells}) > 2
        assert (again, alerts_again) == (bells, alerts)
        assert {one.webhook_id for one in receiver.received} == ids
        verified = stack.client("notify", "admin").get("/notify/v1/disclosures/verify").json()
        assert verified["ok"]

        push(stack, 14, "I")  # what ingest lost is sent again: nothing rings anew
        assert settled(stack, receiver)[:2] == (bells, alerts)
