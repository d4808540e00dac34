"""Faults to be planted in notify."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from services.notify import routing, sender
from services.notify.delivery import Outcome
from services.notify.sender import Sender
from tests.torture.planted import WINDOW_S


def new_id_each_time() -> None:
    """The sender makes a new webhook-id for each attempt."""
    usual = Sender._signed

    def signed(self: Sender, _: Any, body: str, row: Any) -> dict[str, str]:
        return usual(self, uuid4(), body, row)

    Sender._signed = signed  # type: ignore[method-assign]


def noted_before_sent() -> None:
    """The sender notes a message as delivered before it has sent it."""
    usual = Sender._post
    sending: set[Any] = set()

    async def post(self: Sender, client: Any, row: Any) -> Any:
        async def later() -> None:
            await asyncio.sleep(WINDOW_S)
            await usual(self, client, row)

        task = asyncio.create_task(later())
        sending.add(task)
        task.add_done_callback(sending.discard)
        return 204, None, None

    Sender._post = post  # type: ignore[method-assign]


def gives_up() -> None:
    """The sender takes a receiver's refusal for the end of the matter."""
    usual = sender.outcome_of

    def outcome_of(status: int | None, age: timedelta) -> Outcome:
        found = usual(status, age)
        return Outcome.DELIVERED if found is Outcome.RETRY else found

    sender.outcome_of = outcome_of


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

    routing._found = found
