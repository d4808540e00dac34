"""A real SMTP server on a free port of 127.0.0.1, and what came to it."""

import asyncio
import ssl
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.conftest import until

USER, PASSWORD = "firstbell", "a word that no log may hold"


class MailServer:
    """Takes mail, or answers as told to who writes to an address.

    Args:
        answers: by address, what to say to `RCPT TO`, the first first; then it is taken.
        authority: with it the server offers STARTTLS, and signing in after that.
    """

    def __init__(
        self,
        answers: Mapping[str, list[str]] | None = None,
        authority: trustme.CA | None = None,
    ) -> None:
        self.got: list[tuple[str, EmailMessage]] = []
        self.signed_in: list[bytes] = []
        self.answers = {to: list(said) for to, said in (answers or {}).items()}
        self._more: dict[str, Any] = {}
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            self._more = {
                "tls_context": context,
                "require_starttls": True,
                "authenticator": self._authenticate,
                "auth_required": True,
            }
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def has(self, count: int) -> list[tuple[str, EmailMessage]]:
        """Wait for so many mails; return them, each with whom it came to."""

        async def came() -> bool:
            return len(self.got) >= count

        await until(came)
        return self.got

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's own name)
        self, _: SMTP, __: Any, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if self.answers.get(address):
            return self.answers[address].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        self.got.append(
            (envelope.rcpt_tos[0], message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        )
        return "250 OK"

    def _authenticate(self, _: Any, __: Any, ___: Any, ____: str, login: Any) -> AuthResult:
        assert isinstance(login, LoginPassword)
        fine = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
        self.signed_in.append(login.login)
        return AuthResult(success=fine)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="127.0.0.1", **self._more), "127.0.0.1", 0
        )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
