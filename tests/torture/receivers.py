"""Case systems that are told: each request is on disk before it is answered, some are refused."""

import random
import time
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

from tests.listening import HttpServer, QuietHandler
from tests.torture.journal import Journal

REFUSED = 0.04
"""Share of requests answered 503 …"""
DROPPED = 0.02
"""… and of those taken and never answered: the sender cannot know."""
REFUSALS_MAX = 3
"""Of one message: the waits after that are long, and other tests ask about them."""


class Receivers(HttpServer):
    """One server; a path for each recipient."""

    def __init__(
        self, folder: Path, seed: int, *, refused: float = REFUSED, dropped: float = DROPPED
    ) -> None:
        self.journal = Journal(folder / "received.jsonl")
        self.secrets: dict[str, str] = {}
        self._seed = seed
        self._refused, self._dropped = refused, dropped
        self._attempts: dict[str, int] = {}
        receivers = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                raw = self.body()
                lower = {name.lower(): value for name, value in self.headers.items()}
                status = receivers.take(self.path.removeprefix("/"), raw, lower)
                if status is None:
                    self.close_connection = True
                    return
                self.answer(status)

        super().__init__(Handler)

    def url(self, recipient: str) -> str:
        return super().url(f"/{recipient}")

    def take(self, recipient: str, raw: bytes, headers: dict[str, str]) -> int | None:
        """Note a request; return the status to answer with, or None: no answer."""
        status = self._status(headers["webhook-id"])
        self.journal.add(
            at=time.time(),
            to=recipient,
            id=headers["webhook-id"],
            verified=self._is_genuine(recipient, raw, headers),
            status=status,
            body=raw.decode(),
        )
        return status

    def _is_genuine(self, recipient: str, raw: bytes, headers: dict[str, str]) -> bool:
        try:
            Webhook(self.secrets[recipient]).verify(raw, headers)
        except (KeyError, WebhookVerificationError):
            return False
        return True

    def _status(self, webhook_id: str) -> int | None:
        attempt = self._attempts[webhook_id] = self._attempts.get(webhook_id, 0) + 1
        fall = random.Random(f"{self._seed} {webhook_id} {attempt}").random()
        if attempt > REFUSALS_MAX or fall >= self._refused + self._dropped:
            return 204
        return 503 if fall >= self._dropped else None

    def close(self) -> None:
        super().close()
        self.journal.close()
