"""Faults to be planted in ingest."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from libs.common import outbox
from services.ingest import accept
from services.ingest.accept import Committer
from tests.torture.planted import gap, replace


def acknowledged_early() -> None:
    """Ingest answers 202 before it has committed."""
    usual = Committer._settle

    async def settle(self: Committer, batch: Sequence[accept.Waiting]) -> None:
        for waiting in batch:
            if not waiting.answer.done():
                marks = {"accepted": 0, "corrected": 0, "unchanged": 0}
                answer = {
                    "receipt": str(uuid4()),
                    **marks,
                    "rejected": [],
                    "notes": [],
                    "warnings": [],
                }
                waiting.answer.set_result(answer)
        await gap()
        await usual(self, batch)

    replace(Committer, "_settle", settle)


def written_twice() -> None:
    """Ingest stores the event in a transaction of its own, after that of the register."""
    usual = Committer._store
    waiting: list[Any] = []

    async def append_messages(_: Any, messages: Sequence[Any]) -> None:
        waiting.extend(messages)

    async def store(self: Committer, registers: Sequence[Any]) -> Any:
        answers = await usual(self, registers)
        await gap()
        async with self._database.transaction() as db:
            await outbox.append_messages(db, waiting)
        waiting.clear()
        return answers

    replace(accept, "outbox", SimpleNamespace(append_messages=append_messages))
    replace(Committer, "_store", store)
