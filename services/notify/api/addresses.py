"""Where a webhook may go: https, without a user name, and to public addresses alone."""

import asyncio
from urllib.parse import SplitResult, urlsplit

from services.notify.api.parts import wrong
from services.notify.egress import is_public

LOOKUP_S = 3.0


async def check(url: str, *, private_too: bool) -> None:
    """Refuse an address that no webhook may go to.

    Raises:
        InvalidRequest: with the reason.
    """
    parts = _parts(url)
    if parts is None:
        raise wrong(["body", "url"], "an http or https address without a user name")
    if not private_too and parts.scheme != "https":
        raise wrong(["body", "url"], "an https address: what is sent names children")
    # A first look, for a clear answer; the guard at every connection is what protects.
    if not private_too and not await _is_public(parts.hostname or ""):
        raise wrong(["body", "url"], "a private address: webhooks go to public ones alone")


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # The port is read last: it is that which may be none.
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return None if not fine or "@" in parts.netloc or any(c <= " " for c in url) else parts


async def _is_public(host: str) -> bool:
    if host.rstrip(".").rpartition(".")[2] == "localhost":
        return False
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return True  # not known now: the guard sees to it when it is
    return all(is_public(str(info[4][0])) for info in found)
