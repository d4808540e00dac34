"""Posting one message: signed, to public addresses alone, cut off in time, its answer bounded."""

import asyncio
import ssl
import time
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
from sqlalchemy import Row
from standardwebhooks import Webhook
from yarl import URL

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify.bounded import AnswerTooLong, BoundedAnswer
from services.notify.delivery import seconds_of
from services.notify.egress import AddressRefused, guarded_socket, may_be_public, small_socket
from services.notify.lookup import Resolver
from services.notify.secrets import Vault

KEPT_OPEN_S = 30.0
BODY_S = 2.0
"""How long an answer's body is waited for: its status says all, its end lets the connection serve
again."""

FAULTS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError),
        "its certificate is not valid",
    ),
    ((TimeoutError,), "no answer in time"),
    ((aiohttp.InvalidURL, ValueError), "not an address"),
    ((AnswerTooLong,), "too long an answer"),
    ((aiohttp.ClientProxyConnectionError,), "the proxy cannot be connected to"),
    ((aiohttp.ClientHttpProxyError,), "the proxy refused"),
    ((aiohttp.ClientConnectorError,), "cannot be connected to"),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError), "hung up"),
    ((aiohttp.ClientResponseError, aiohttp.ClientPayloadError), "no proper answer"),
)
"""What errors mean, in words for the endpoint's owner; the first that fits."""


class Answer(NamedTuple):
    """What an attempt came to: a status, or a fault in a few words that name no address."""

    status: int | None
    fault: str | None
    retry_after_s: float | None
    at: datetime
    took_s: float


class Poster:
    """One client for all messages, with connections kept open between them.

    With `egress_proxy` set every connection goes to the proxy. Names are resolved there: it must
    refuse those that lead inside. Addresses, and names that never are public, are refused here.
    """

    def __init__(self, settings: ServiceSettings, vault: Vault) -> None:
        self._vault = vault
        self._timeout_s = settings.delivery_timeout_s
        self._proxy = settings.egress_proxy
        self._https_alone = not settings.allow_private_endpoints
        guard = self._https_alone and self._proxy is None
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEPT_OPEN_S,
                ssl=ssl.create_default_context(),
                socket_factory=guarded_socket if guard else small_socket,
                resolver=Resolver(),
            ),
            response_class=BoundedAnswer,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def post(self, row: Row[Any]) -> Answer:
        """Post a message; whatever one address, answer or secret can do is told, never raised."""
        began = time.monotonic()
        status, fault, retry_after = None, None, None
        try:
            async with asyncio.timeout(self._timeout_s):
                status, retry_after = await self._exchange(row)
        except Exception as error:
            fault = fault_of(error)
        now = utc_now()
        return Answer(status, fault, seconds_of(retry_after, now), now, time.monotonic() - began)

    async def _exchange(self, row: Row[Any]) -> tuple[int, str | None]:
        url = URL(row.url)
        if self._https_alone and (url.scheme != "https" or not may_be_public(url.raw_host or "")):
            raise AddressRefused("not an https address of a public host")
        async with self._client.post(
            url,
            data=row.body.encode(),
            headers=signed(self._vault, row),
            allow_redirects=False,
            proxy=self._proxy,
        ) as answer:
            await _finish(answer)
            return answer.status, answer.headers.get("retry-after")


def signed(vault: Vault, row: Row[Any]) -> dict[str, str]:
    """Return a message's headers, with a signature by each secret that is in force.

    Source: Standard Webhooks 1.0.0.
    """
    now = utc_now()
    secrets = [row.secret]
    if row.old_secret is not None and row.old_secret_until > now:
        secrets.append(row.old_secret)
    signatures = [Webhook(vault.open(s)).sign(str(row.id), now, row.body) for s in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": str(row.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def fault_of(error: Exception) -> str:
    """Return what went wrong, in words that hold nothing of the message or the answer."""
    if _refused(error):
        return "not a public address"
    for kinds, words in FAULTS:
        if isinstance(error, kinds):
            return words
    return type(error).__name__


def _refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AddressRefused):
            return True
        error = getattr(error, "os_error", None) or error.__cause__
    return False


async def _finish(answer: aiohttp.ClientResponse) -> None:
    """Read the rest of an answer; where that fails its connection is closed, and all is said."""
    try:
        async with asyncio.timeout(BODY_S):
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        answer.close()
