"""Where a webhook may go: https, without a user name, and to public addresses alone."""

import asyncio
from urllib.parse import urlsplit

from yarl import URL

from services.notify.api.parts import wrong
from services.notify.egress import is_public, may_be_public
from services.notify.lookup import Lookup

LOOKUP_S = 3.0


async def check(url: str, lookup: Lookup, *, private_too: bool) -> None:
    """Refuse an address that no webhook may go to.

    Raises:
        InvalidRequest: with the reason.
    """
    read = _read(url)
    if read is None:
        raise wrong(["body", "url"], "an http or https address without a user name")
    if not private_too and read.scheme != "https":
        raise wrong(["body", "url"], "an https address: what is sent names children")
    # A first look, for a clear answer; the guard at every connection is what protects.
    if not private_too and not await _is_public(read.raw_host or "", lookup):
        raise wrong(["body", "url"], "a private address: webhooks go to public ones alone")


def _read(url: str) -> URL | None:
    """Return an address as the sender will read it; None where another reader might not agree."""
    if any(c <= " " or c == "\\" for c in url):
        return None
    try:
        parts, read = urlsplit(url), URL(url)
        # The port is read last: it is that which may be none.
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return read if fine and "@" not in parts.netloc and read.raw_host else None


async def _is_public(host: str, lookup: Lookup) -> bool:
    if not may_be_public(host):
        return False
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await lookup.addresses(host)
    except (OSError, UnicodeError):
        return True  # not known now: the guard sees to it when it is
    return all(is_public(str(info[4][0])) for info in found)
