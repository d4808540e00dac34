"""A real webhook receiver, as a case system has one: it verifies each signature it gets."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError


class Received(NamedTuple):
    """One request."""

    webhook_id: str
    path: str
    verified: bool
    body: dict[str, Any]
    text: str
    headers: dict[str, str]


class Receiver:
    """Listens on a free port of 127.0.0.1; answers with the statuses given, then with 204."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[Received] = []
        self.secrets: dict[str, str] = {}
        """Secret by path."""
        self._statuses = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(self.path, raw, dict(self.headers.items()))
                self.send_response(receiver.next_status())
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def take(self, path: str, raw: bytes, headers: dict[str, str]) -> None:
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(self.secrets[path]).verify(raw, lower)
            verified = True
        except (KeyError, WebhookVerificationError):
            verified = False
        body = json.loads(raw)
        received = Received(lower["webhook-id"], path, verified, body, raw.decode(), lower)
        self.received.append(received)

    def next_status(self) -> int:
        return self._statuses.pop(0) if self._statuses else 204

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
