"""The `firstbell` command in a process that ends itself, by SIGKILL, at a given step.

A step is the moment before or after a transaction that writes commits, before or after records are
published, and before or after a webhook is answered: there is nothing between two of them that
another process, or this one when it comes back, could see.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import eventlog_kafka, service
from libs.common.database import Database
from libs.common.eventlog_kafka import KafkaEventLog
from libs.common.settings import ServiceSettings
from services.cli import app
from services.notify import rounds, sender
from services.notify.channels.webhook import Webhooks
from tests.torture import planted

WHERES = [
    f"{when} {what}" for what in ("a commit", "publish", "send") for when in ("before", "after")
]
WRITES = ("INSERT", "UPDATE", "DELETE")
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload([__name__, "services.cli.stack", "services.cli.serving"])


def started(
    name: str, command: list[str], folder: Path, env: dict[str, str], fault: str | None = None
) -> BaseProcess:
    """Start `firstbell command` in a process forked from one that has it all loaded.

    Args:
        fault: one of `tests.torture.planted`, to be planted in it.
    """
    process = FORKS.Process(target=_live, args=(name, command, folder, env, fault))
    process.start()
    return process


class Plan:
    """At which step every process ends, once a turn: a file that they all read at each step.

    Without the file nobody ends. Another file says who has.
    """

    def __init__(self, folder: Path) -> None:
        self._plan = folder / "plan"
        self._ended = folder / "ended"

    def set(self, turn: int, number: int, where: str) -> None:
        """End, in this turn, where `where` comes for the nth time."""
        draft = self._plan.with_suffix(".draft")
        draft.write_text(f"{turn} {number} {where}")
        draft.rename(self._plan)

    def clear(self) -> None:
        self._plan.unlink(missing_ok=True)

    def read(self) -> tuple[int, int, str] | None:
        try:
            turn, number, where = self._plan.read_text().split(" ", 2)
        except FileNotFoundError:
            return None
        return int(turn), int(number), where

    def note_end(self, turn: int, name: str, where: str) -> None:
        with self._ended.open("a") as file:
            file.write(f"{turn} {name} {where}\n")

    def ended(self, turn: int) -> list[str]:
        """Who has ended in this turn, and where: "name where"."""
        text = self._ended.read_text() if self._ended.exists() else ""
        rows = (line.split(" ", 1) for line in text.splitlines())
        return [what for which, what in rows if int(which) == turn]


class _Steps:
    def __init__(self, name: str, plan: Plan) -> None:
        self._name = name
        self._plan = plan
        self._turn = 0
        self._taken = 0

    def take(self, where: str) -> None:
        planned = self._plan.read()
        if planned is None:
            return
        turn, number, there = planned
        if turn != self._turn:
            self._turn, self._taken = turn, 0
        self._taken += where == there
        if self._taken >= number and not self._has_ended(turn):
            self._plan.note_end(turn, self._name, where)
            os.kill(os.getpid(), signal.SIGKILL)

    def _has_ended(self, turn: int) -> bool:
        return any(what.split(" ")[0] == self._name for what in self._plan.ended(turn))


def _live(
    name: str, command: list[str], folder: Path, env: dict[str, str], fault: str | None
) -> None:
    log = os.open(folder / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(env)
    # What a dead process had taken on comes to its successor sooner than in an installation.
    sender.LEASE_S = 0.3 - ServiceSettings.model_fields["delivery_timeout_s"].default
    rounds.EVERY_S = service.LATER_S = 0.3
    eventlog_kafka.SESSION_MS, eventlog_kafka.HEARTBEAT_MS = 1500, 300
    if fault is not None:
        planted.plant(fault, name)
    steps = _Steps(name, Plan(folder))
    _watch_commits(steps)
    _watch(steps, KafkaEventLog, "publish")
    _watch(steps, Webhooks, "send")
    app(command, standalone_mode=False)
    sys.exit(0)


def _watch(steps: _Steps, owner: Any, method: str) -> None:
    usual = getattr(owner, method)

    @wraps(usual)
    async def watched(*args: Any, **named: Any) -> Any:
        steps.take(f"before {method}")
        answer = await usual(*args, **named)
        steps.take(f"after {method}")
        return answer

    setattr(owner, method, watched)


def _watch_commits(steps: _Steps) -> None:
    usual = Database.transaction

    def note(db: Connection, _: Any, statement: str, *__: Any) -> None:
        if statement.startswith(WRITES):
            db.info["wrote"] = True

    @asynccontextmanager
    async def transaction(*args: Any, **named: Any) -> AsyncIterator[AsyncConnection]:
        async with usual(*args, **named) as db:
            db.info.pop("wrote", None)
            yield db
            wrote = db.info.pop("wrote", False)
            if wrote:
                steps.take("before a commit")
        if wrote:
            steps.take("after a commit")

    event.listen(Engine, "before_cursor_execute", note)
    Database.transaction = transaction  # type: ignore[method-assign]
