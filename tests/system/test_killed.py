"""`kill -9` of every process at every step of a register's way: the same bells, alerts, webhooks.

Each turn sends a register and has every process of the stack end itself at one step (`dying.py`):
before its first commit, its second, and so on until a turn in which nobody commits as often; then
after each, and so with publishing and posting. Whoever dies is started again at once, as Docker
would do it.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.ingest_app import upn
from tests.system import dying
from tests.system.receiver import Receiver
from tests.system.stack import TODAY, Stack, people, running, wait_for

pytestmark = pytest.mark.timeout(300)

CODES = ("N", "I")
"""Unexplained and then explained, in turn: one webhook each."""


class MortalStack(Stack):
    """A stack whose processes may end at any step, and are started again."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.plan = dying.Plan(data)
        # Servers that were there before, and stay after it, hold other runs' children too.
        number = secrets.randbelow(900_000)
        self.upn = upn(number)
        self.urn = str(100_000 + number)
        self.worker = f"worker-{number}"
        self.endpoint = ""

    def set_up(self, receiver: Receiver) -> None:
        self.endpoint = people(self, receiver, self.upn, self.urn, self.worker)

    def start(self, name: str) -> None:
        command = self.commands[name][1:]
        self.processes[name] = dying.started(name, command, self.data, self.env)

    def revive(self) -> None:
        for name, process in self.processes.items():
            if not process.is_alive():
                process.join()
                self.start(name)

    def stop(self) -> None:
        for client in self.clients.values():
            client.close()
        for process in self.processes.values():
            process.kill()
            process.join()


class Told:
    """What a receiver was told, each message once, in order of arrival."""

    def __init__(self, receiver: Receiver) -> None:
        first: dict[str, Any] = {}
        for got in receiver.received:
            assert got.verified
            assert first.setdefault(got.webhook_id, got.body) == got.body
        self.webhooks = {
            name: (body["type"], body["data"]["alert"]) for name, body in first.items()
        }


def put_until_taken(stack: MortalStack, turn: int) -> None:
    """Send a register as a school's system does: again and again until it is answered."""
    school = stack.client("ingest", "school", "--urn", stack.urn)
    path = f"/ingest/v1/schools/{stack.urn}/registers/{TODAY}/am"

    def is_taken() -> bool:
        stack.revive()
        try:
            marks = [{"upn": stack.upn, "code": CODES[turn % 2]}]
            return school.put(path, json={"marks": marks}).status_code == 202
        except httpx.TransportError:
            return False

    wait_for(is_taken)


def is_done(stack: MortalStack, receiver: Receiver, turn: int) -> bool:
    """Whether the turn's webhook has come, and its delivery been noted."""
    stack.revive()
    if len(Told(receiver).webhooks) < turn:
        return False
    path = f"/notify/v1/endpoints/{stack.endpoint}/deliveries?limit=500"
    try:
        rows = stack.client("notify", "admin").get(path).raise_for_status().json()["items"]
    except httpx.HTTPError:
        return False
    return len(rows) == turn and all(row["state"] == "delivered" for row in rows)


def run(stack: MortalStack, receiver: Receiver, turns: Callable[[int], bool]) -> int:
    """Send registers while `turns` says so; return how many. Each must bring one webhook."""
    turn = 0
    while turns(turn):
        turn += 1
        put_until_taken(stack, turn - 1)
        wait_for(lambda turn=turn: is_done(stack, receiver, turn))
    return turn


def ending(stack: MortalStack) -> Callable[[int], bool]:
    """Plan each turn's ends one step further, until every kind of step has been gone through."""
    wheres = list(dying.WHERES)
    number = 0

    def another(done: int) -> bool:
        nonlocal number
        number += 1
        if done and not stack.plan.ended(done):
            wheres.pop(0)
            number = 1
        if not wheres:
            stack.plan.clear()
            return False
        stack.plan.set(done + 1, number, wheres[0])
        return True

    return another


def held(stack: MortalStack) -> Any:
    """Return the bells and alerts that the stack tells of, without the times of day."""
    stack.revive()
    stack.wait_ready("ingest", "risk", "notify")
    bells = stack.client("risk", "admin").get(f"/risk/v1/bells?urn={stack.urn}").json()["items"]
    worker = stack.client("notify", "practitioner", "--id", stack.worker)
    alerts = worker.get("/notify/v1/alerts").json()
    return [
        {name: value for name, value in one.items() if name not in {"raised_at", "history"}}
        for one in (*bells, *alerts["items"])
    ]


@contextmanager
def living(which: str, data: Path, child: MortalStack | None = None) -> Iterator[MortalStack]:
    """Run a stack in this folder, for the child of another one if that is given."""
    with running(which, data, MortalStack) as stack:
        if child is not None:
            for name in ("upn", "urn", "worker", "endpoint"):
                setattr(stack, name, getattr(child, name))
        yield stack


def test_killed_at_every_step_one_process_comes_to_the_same(tmp_path: Path) -> None:
    killed, unhurt = tmp_path / "killed", tmp_path / "unhurt"
    killed.mkdir()
    with Receiver() as receiver:
        with living("embedded", killed) as first:
            first.set_up(receiver)
        shutil.copytree(killed, unhurt)

        with living("embedded", killed, first) as stack:
            turns = run(stack, receiver, ending(stack))
            told, found = Told(receiver).webhooks, held(stack)
            ends = [end for turn in range(turns) for end in stack.plan.ended(turn + 1)]
        receiver.received.clear()
        with living("embedded", unhurt, first) as stack:
            run(stack, receiver, lambda done: done < turns)

            assert (told, found) == (Told(receiver).webhooks, held(stack))
            assert list(told) == list(Told(receiver).webhooks)
    # A register, its event, its mark; the bell's three; an alert; a message claimed and noted.
    assert len([end for end in ends if end.endswith("before a commit")]) >= 9, ends
    assert len([end for end in ends if end.endswith("after send")]) == 1, ends


@pytest.mark.kafka
@pytest.mark.postgres
def test_killed_at_every_step_three_processes_come_to_the_same(tmp_path: Path) -> None:
    with Receiver() as receiver, living("clustered", tmp_path) as stack:
        stack.set_up(receiver)
        turns = run(stack, receiver, ending(stack))

        kinds = [kind for kind, _ in Told(receiver).webhooks.values()]
        assert kinds == (["alert.raised", "alert.withdrawn"] * turns)[:turns]
        bell, alert = held(stack)
        assert bell["status"] == ("ringing" if turns % 2 else "withdrawn")
        ledger = stack.client("notify", "admin").get("/notify/v1/disclosures/verify").json()
        ends = [end.split(" ", 1) for turn in range(turns) for end in stack.plan.ended(turn + 1)]
    assert {name for name, _ in ends} == {"ingest", "risk", "notify"}
    assert {where for _, where in ends} == set(dying.WHERES)
    assert ledger["ok"] is True
    assert alert["bell"] == bell["id"]
