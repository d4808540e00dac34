"""E-mail by SMTP: a connection a message, encrypted unless set otherwise."""

import asyncio
import json
import re
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify.channels.channel import Message, Said
from services.notify.channels.wording import words_of
from services.notify.delivery import Verdict

GONE = re.compile(r"5\.(1\.(1|2|3|6|10)|2\.1)\b")
"""No such mailbox or domain, not an address, moved, takes no mail, disabled.

Without one of these a refusal may be about the sender as well, and the message is tried again.
Source: RFC 3463, 3.2 and 3.3; RFC 7505, 4.2.
"""
CLOSING_S = 0.1


class Smtp:
    """Sends by the server that the settings name; what that has taken is its own to bring on."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._from, self._base = str(settings.mail_from), str(settings.public_url)
        self._settings = settings
        self._tls = ssl.create_default_context()

    async def send(self, message: Message) -> Said:
        """Send a message."""
        try:
            async with self._server() as server:
                await server.send_message(self._mail(message))
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _said(refused.recipients[0])
        except aiosmtplib.SMTPResponseException as refused:
            return _said(refused)
        return Said(Verdict.TAKEN, aiosmtplib.SMTPStatus.completed)

    async def sign_in(self) -> None:
        """Connect and sign in as for a message, and send none; it may raise anything."""
        try:
            async with self._server():
                return
        finally:
            # The connection's end takes the loop some turns, which a short command has not got.
            await asyncio.sleep(CLOSING_S)

    def fault_of(self, error: Exception) -> str:
        """Return what went wrong between here and the server."""
        if isinstance(error, ssl.SSLError):
            return "the mail server's certificate is not valid"
        if isinstance(error, aiosmtplib.SMTPTimeoutError):
            return "no answer in time"
        if isinstance(error, aiosmtplib.SMTPServerDisconnected):
            return "the mail server hung up"
        if isinstance(error, aiosmtplib.SMTPNotSupported):
            return "the mail server offers no STARTTLS or no way to sign in"
        if isinstance(error, OSError):
            return "the mail server cannot be connected to"
        return type(error).__name__

    async def close(self) -> None:
        """Nothing is kept open."""

    def _server(self) -> aiosmtplib.SMTP:
        settings, password = self._settings, self._settings.smtp_password
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=self._tls,
            local_hostname=self._domain(),
            timeout=settings.delivery_timeout_s,
        )

    def _mail(self, message: Message) -> EmailMessage:
        words = words_of(json.loads(message.body), self._base)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._from, message.address, words.subject
        mail["Date"] = format_datetime(utc_now())
        # The same at every attempt: a mail that came twice is known for one.
        mail["Message-ID"] = f"<{message.id}@{self._domain()}>"
        # So that nobody's notice of being away answers it (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(words.body)
        return mail

    def _domain(self) -> str:
        return self._from.rpartition("@")[2].rstrip(">")


def _said(refused: aiosmtplib.SMTPResponseException) -> Said:
    # Its further words may repeat the address.
    gone = 500 <= refused.code < 600 and GONE.match(refused.message)
    return Said(Verdict.GONE if gone else Verdict.NOT_NOW, refused.code)
