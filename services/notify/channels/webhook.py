"""Webhooks: signed, to public addresses alone, the answer bounded."""

import asyncio
import ssl
from functools import cached_property

import aiohttp
from standardwebhooks import Webhook
from yarl import URL

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify.bounded import AnswerTooLong, BoundedAnswer
from services.notify.channels.channel import Message, Said
from services.notify.delivery import verdict_of
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
    ((aiohttp.InvalidURL, ValueError), "not an address"),
    ((AnswerTooLong,), "too long an answer"),
    ((aiohttp.ClientProxyConnectionError,), "the proxy cannot be connected to"),
    ((aiohttp.ClientHttpProxyError,), "the proxy refused"),
    ((aiohttp.ClientConnectorError,), "cannot be connected to"),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError), "hung up"),
    ((aiohttp.ClientResponseError, aiohttp.ClientPayloadError), "no proper answer"),
)
"""What errors mean, in words for the endpoint's owner; the first that fits."""


class Webhooks:
    """One client for all messages, with connections kept open between them.

    With `egress_proxy` set every connection goes to the proxy. Names are resolved there: it must
    refuse those that lead inside. Addresses, and names that never are public, are refused here.
    """

    def __init__(self, settings: ServiceSettings, vault: Vault) -> None:
        self._vault = vault
        self._proxy = settings.egress_proxy
        self._https_alone = not settings.allow_private_endpoints
        guard = self._https_alone and self._proxy is None
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEPT_OPEN_S,
                socket_factory=guarded_socket if guard else small_socket,
                resolver=Resolver(),
            ),
            response_class=BoundedAnswer,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made when it is first needed: to read every authority's certificate takes 0.07 s.
        return ssl.create_default_context()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def send(self, message: Message) -> Said:
        """Post a message, signed."""
        url = URL(message.address)
        if self._https_alone and (url.scheme != "https" or not may_be_public(url.raw_host or "")):
            raise AddressRefused("not an https address of a public host")
        async with self._client.post(
            url,
            data=message.body.encode(),
            headers=signed(self._vault, message),
            allow_redirects=False,
            proxy=self._proxy,
            ssl=self._tls if url.scheme == "https" else True,
        ) as answer:
            await _finish(answer)
            retry_after = answer.headers.get("retry-after")
            return Said(verdict_of(answer.status), answer.status, retry_after)

    def fault_of(self, error: Exception) -> str:
        """Return what went wrong between here and the receiver."""
        if _refused(error):
            return "not a public address"
        for kinds, words in FAULTS:
            if isinstance(error, kinds):
                return words
        return type(error).__name__


def signed(vault: Vault, message: Message) -> dict[str, str]:
    """Return a message's headers, with a signature by each secret that is in force.

    Source: Standard Webhooks 1.0.0.
    """
    now = utc_now()
    secrets = [message.secret]
    if message.old_secret is not None and message.old_secret_until > now:
        secrets.append(message.old_secret)
    signatures = [Webhook(vault.open(s)).sign(str(message.id), now, message.body) for s in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": str(message.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AddressRefused):
            return True
        error = getattr(error, "os_error", None) or error.__cause__
    return False


async def _finish(answer: aiohttp.ClientResponse) -> None:
    """Read the rest of an answer; where that fails its connection is closed, and all is said."""
    if answer.content.at_eof():
        return
    try:
        async with asyncio.timeout(BODY_S):
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        answer.close()
