"""A real webhook receiver, as a case system has one: it verifies each signature it gets."""

import json
import random
import threading
from typing import Any, NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError

from tests.listening import HttpServer, QuietHandler


class Received(NamedTuple):
    """One request."""

    webhook_id: str
    path: str
    verified: bool
    body: dict[str, Any]
    text: str
    headers: dict[str, str]


class Receiver(HttpServer):
    """Listens on a free port of 127.0.0.1; answers with the statuses given, then with 204."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[Received] = []
        self.secrets: dict[str, str] = {}
        """Secret by path."""
        self._statuses = list(statuses)
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                receiver.take(self.path, self.body(), dict(self.headers.items()))
                self.answer(receiver.next_status())

        super().__init__(Handler)

    def url(self, path: str = "/") -> str:
        """Return its address."""
        return super().url(path)

    def take(self, path: str, raw: bytes, headers: dict[str, str]) -> None:
        self.received.append(self.read(path, raw, headers))

    def read(self, path: str, raw: bytes, headers: dict[str, str]) -> Received:
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(self.secrets[path]).verify(raw, lower)
            verified = True
        except (KeyError, WebhookVerificationError):
            verified = False
        body = json.loads(raw)
        return Received(lower["webhook-id"], path, verified, body, raw.decode(), lower)

    def next_status(self) -> int:
        return self._statuses.pop(0) if self._statuses else 204


class Refusing(Receiver):
    """Answers 503 to a share of what comes, kept in `refused`; `received` is what it took."""

    def __init__(self, chance: random.Random, share: float) -> None:
        super().__init__()
        self.refused: list[Received] = []
        self._chance = chance
        self._share = share
        self._answer = threading.local()

    def take(self, path: str, raw: bytes, headers: dict[str, str]) -> None:
        refuses = self._chance.random() < self._share
        self._answer.status = 503 if refuses else 204
        (self.refused if refuses else self.received).append(self.read(path, raw, headers))

    def next_status(self) -> int:
        return int(self._answer.status)
