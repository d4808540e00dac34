"""Posting one message: signed, to public addresses alone, cut off in time, its answer bounded."""

import asyncio
import ssl
import time
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
from sqlalchemy import Row
from standardwebhooks import Webhook

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify.delivery import seconds_of
from services.notify.egress import AddressRefused, guarded_socket
from services.notify.secrets import Vault

ANSWER_BYTES_MAX = 65_536
KEPT_OPEN_S = 30.0


class Answer(NamedTuple):
    """What an attempt came to: a status, or a fault in a few words that name no address."""

    status: int | None
    fault: str | None
    retry_after_s: float | None
    at: datetime
    took_s: float


class Poster:
    """One client for all messages, with connections kept open between them.

    With `egress_proxy` set every connection goes to the proxy, which must refuse private addresses
    itself: names are resolved there.
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
                socket_factory=guarded_socket if guard else None,
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=ANSWER_BYTES_MAX // 4,
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
        if self._https_alone and not row.url.startswith("https://"):
            raise AddressRefused("not an https address")
        async with self._client.post(
            row.url,
            data=row.body.encode(),
            headers=signed(self._vault, row),
            allow_redirects=False,
            proxy=self._proxy,
        ) as answer:
            if not await _read(answer):
                answer.close()
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
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not valid"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if _refused(error):
        return "not a public address"
    if isinstance(error, aiohttp.InvalidURL):
        return "not an address"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "cannot be connected to"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "hung up"
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "no proper answer"
    return type(error).__name__


def _refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AddressRefused):
            return True
        error = getattr(error, "os_error", None) or error.__cause__
    return False


async def _read(answer: aiohttp.ClientResponse) -> bool:
    """Read an answer's body as far as it is read; return whether that was all of it."""
    read = 0
    while chunk := await answer.content.read(ANSWER_BYTES_MAX - read):
        read += len(chunk)
        if read >= ANSWER_BYTES_MAX:
            return False
    return True
