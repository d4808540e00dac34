"""Faults to be planted in notify."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from services.notify import outcomes, routing
from services.notify.channels import webhook
from services.notify.channels.channel import Said
from services.notify.channels.webhook import Webhooks
from services.notify.delivery import Outcome, Verdict
from tests.torture.planted import gap, replace


def new_id_each_time() -> None:
    """The sender makes a new webhook-id for each attempt."""
    usual = webhook.signed

    def signed(vault: Any, row: Any) -> dict[str, str]:
        another: Any = SimpleNamespace(**{**row._mapping, "id": uuid4()})
        return usual(vault, another)

    replace(webhook, "signed", signed)


def noted_before_sent() -> None:
    """The sender notes a message as delivered before it has sent it."""
    usual = Webhooks.send
    sending: set[Any] = set()

    async def send(self: Webhooks, message: Any) -> Said:
        async def later() -> None:
            await gap()
            await usual(self, message)

        task = asyncio.create_task(later())
        sending.add(task)
        task.add_done_callback(sending.discard)
        return Said(Verdict.TAKEN, 204)

    replace(Webhooks, "send", send)


def gives_up() -> None:
    """The sender takes a receiver's refusal for the end of the matter."""
    usual = outcomes.outcome_of

    def outcome_of(verdict: Verdict, age: timedelta) -> Outcome:
        found = usual(verdict, age)
        return Outcome.DELIVERED if found is Outcome.RETRY else found

    replace(outcomes, "outcome_of", outcome_of)


def unrecorded() -> None:
    """The sender does not record in the ledger what has come to its receiver."""

    async def records_of(_: Any, __: Any) -> list[dict[str, Any]]:
        return []

    replace(outcomes, "records_of", records_of)


def any_worker() -> None:
    """Routing asks for the role and forgets to ask for whose worker it is."""
    usual = routing._found

    def found(about: Any, to: Any, people: Any) -> Any:
        if to.found_by != "involvement":
            return usual(about, to, people)
        return [
            (person, capacity)
            for _, capacity in usual(about, to, people)
            for person in people.values()
            if to.role in person.roles
        ]

    replace(routing, "_found", found)
