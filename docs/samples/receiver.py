"""Receives Firstbell's webhooks: verifies, keeps each message once, and only then answers.

    WEBHOOK_SECRET=whsec_… python receiver.py [PORT] [FILE]

`WEBHOOK_SECRET` may be two secrets with a space between, while one takes the other's place. FILE
gets a message a line. Put a proxy with TLS before it. Python 3.11 or later, nothing else.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY_BYTES_MAX = 8_000_000
CLOCKS_APART_MAX_S = 300


def is_genuine(headers: Mapping[str, str], body: bytes, secrets: list[str], now: float) -> bool:
    """Whether one of the signatures is by one of the secrets, over these very bytes, and recent."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(now - int(at)) > CLOCKS_APART_MAX_S:
        return False
    signed = f"{id}.{at}.".encode() + body
    given = headers.get("webhook-signature", "").split()
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        ours = "v1," + base64.b64encode(digest).decode()
        if any(hmac.compare_digest(ours.encode(), one.encode()) for one in given):
            return True
    return False


class Messages:
    """Messages in a file, each once; what is in it is known again after a restart."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._ids: set[str] = set()
        self._numbers: set[int] = set()
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            self._note(json.loads(line))
        self._file = path.open("ab")

    def keep(self, id: str, message: dict[str, object]) -> bool:
        """Keep a message on disk; False: it is a repeat, and there already."""
        with self._lock:
            if id in self._ids:
                return False
            line = {"id": id, **message}
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._note(line)
            return True

    def missing(self) -> list[int]:
        """Return which numbers have not come, of those up to the highest that has."""
        with self._lock:
            return sorted(set(range(1, max(self._numbers, default=0))) - self._numbers)

    def _note(self, line: dict[str, object]) -> None:
        self._ids.add(str(line["id"]))
        self._numbers.add(int(str(line["sequence"])))


def handler(messages: Messages, secrets: list[str]) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            if length > BODY_BYTES_MAX:
                return self._answer(413)
            body = self.rfile.read(length)
            if not is_genuine(self.headers, body, secrets, time.time()):
                return self._answer(401)
            message = json.loads(body)
            if messages.keep(self.headers["webhook-id"], message):
                # Slow work goes here, after the message is safe, and best in another thread.
                print(message["type"], "missing:", messages.missing(), flush=True)
                if message["type"] == "endpoint.challenge":
                    print("verify with:", message["data"]["challenge"], flush=True)
            return self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: a log of requests is no place for what they hold."""

    return Handler


def main() -> None:
    """Receive until ended."""
    arguments = dict(enumerate(sys.argv[1:]))
    messages = Messages(Path(arguments.get(1, "messages.ndjson")))
    answering = handler(messages, os.environ["WEBHOOK_SECRET"].split())
    server = ThreadingHTTPServer(("127.0.0.1", int(arguments.get(0, 8080))), answering)
    print("listening on", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
