"""E-mails and texts by GOV.UK Notify, through its own client.

Its templates are the service's at GOV.UK Notify, and hold nothing but `((subject))` and `((body))`.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

import requests
from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from libs.common.settings import ServiceSettings
from services.notify.channels.channel import Message, Said
from services.notify.channels.wording import words_of
from services.notify.delivery import verdict_of

AT_ONCE = 16
"""Its client waits for each answer in a thread of its own."""

# It logs what GOV.UK Notify says of a request, which may repeat an address.
logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL)


class GovukNotify:
    """Sends to one kind of address; a message's `reference` there is its id."""

    def __init__(self, settings: ServiceSettings, kind: Literal["email", "text"]) -> None:
        assert settings.govuk_notify_key is not None  # else the settings would have refused
        self._key, self._kind = settings.govuk_notify_key, kind
        self._base = str(settings.public_url)
        self._template = settings.govuk_notify_email_template
        if kind == "text":
            self._template = settings.govuk_notify_text_template
        self._more: dict[str, Any] = {"timeout": settings.delivery_timeout_s}
        if settings.govuk_notify_url is not None:
            self._more["base_url"] = settings.govuk_notify_url
        self._threads = ThreadPoolExecutor(AT_ONCE, f"govuk-notify-{kind}")

    async def send(self, message: Message) -> Said:
        """Send a message."""
        loop = asyncio.get_running_loop()
        status = await loop.run_in_executor(self._threads, self._post, message)
        return Said(verdict_of(status), status)

    def fault_of(self, error: Exception) -> str:
        """Return what went wrong between here and GOV.UK Notify."""
        if isinstance(error.__cause__, requests.Timeout):
            return "no answer in time"
        if isinstance(error.__cause__, requests.exceptions.SSLError):
            return "GOV.UK Notify's certificate is not valid"
        if isinstance(error, HTTPError):
            return "GOV.UK Notify cannot be connected to"
        return type(error).__name__

    async def close(self) -> None:
        """Let go of the threads; what they have in hand ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def status_of(self, id: UUID) -> str:
        """Return what it says by now of a message that it has taken; empty: it knows none.

        Raises:
            HTTPError: it does not say.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._status, str(id))

    def _status(self, id: str) -> str:
        with self._client() as client:
            # The newest first: a message that was sent twice has two.
            found = client.get_all_notifications(reference=id)["notifications"]
        return str(found[0]["status"]) if found else ""

    @contextmanager
    def _client(self) -> Iterator[NotificationsAPIClient]:
        # A client is for one thread.
        client = NotificationsAPIClient(self._key.get_secret_value(), **self._more)
        try:
            yield client
        finally:
            client.request_session.close()

    def _post(self, message: Message) -> int:
        words = words_of(json.loads(message.body), self._base)
        to = {"template_id": self._template, "reference": str(message.id)}
        try:
            with self._client() as client:
                if self._kind == "email":
                    to |= {"email_address": message.address}
                    client.send_email_notification(personalisation=words._asdict(), **to)
                else:
                    to |= {"phone_number": message.address}
                    client.send_sms_notification(personalisation={"body": words.body}, **to)
        except HTTPError as refused:
            if refused.response is None:
                raise
            return refused.status_code
        return 201
