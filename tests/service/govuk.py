"""A stand-in for GOV.UK Notify on a free port of 127.0.0.1: what sends, and what it says later."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import jwt

from tests.conftest import until
from tests.listening import HttpServer, QuietHandler

SERVICE, SECRET = str(UUID(int=1)), str(UUID(int=2))
KEY = f"test-{SERVICE}-{SECRET}"
EMAIL_TEMPLATE, TEXT_TEMPLATE = str(UUID(int=3)), str(UUID(int=4))


class Govuk(HttpServer):
    """Checks the token, keeps what it is asked to send, and answers as told, then with 201."""

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.statuses: dict[str, str] = {}
        """By whom it goes to, what it says later; of all others: delivered."""

    async def has(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many requests; return them."""

        async def came() -> bool:
            return len(self.got) >= count

        await until(came)
        return self.got


def _handler(there: Govuk) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = json.loads(self.body())
            assert self._may()
            assert self.path in {"/v2/notifications/email", "/v2/notifications/sms"}
            there.got.append(body)
            status = there.answers.pop(0) if there.answers else 201
            # As it does, a refusal repeats what it refuses.
            said = {"id": str(UUID(int=5)), "errors": [{"message": f"Not valid: {body}"}]}
            self._answer(status, said)

        def do_GET(self) -> None:
            if not self._may():
                return self._answer(403, {"errors": [{"message": "Invalid token"}]})
            reference = parse_qs(urlsplit(self.path).query)["reference"][0]
            known = [one for one in reversed(there.got) if one["reference"] == reference]
            to = [one.get("email_address") or one.get("phone_number") for one in known]
            found = [{"status": there.statuses.get(one, "delivered")} for one in to]
            return self._answer(200, {"notifications": found, "links": {}})

        def _may(self) -> bool:
            token = self.headers["authorization"].removeprefix("Bearer ")
            try:
                claims = jwt.decode(token, SECRET, algorithms=["HS256"])
            except jwt.InvalidSignatureError:
                return False
            return bool(claims["iss"] == SERVICE)

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            self.answer(status, json.dumps(said).encode(), content_type="application/json")

    return Handler
