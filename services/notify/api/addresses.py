"""Where messages may go: webhooks to public https addresses, e-mails to what looks like one."""

import asyncio
import re
from urllib.parse import urlsplit

from yarl import URL

from services.notify.api.endpoint_forms import EndpointIn
from services.notify.api.parts import wrong
from services.notify.channels.feed import topic_of
from services.notify.egress import is_public, may_be_public
from services.notify.lookup import Lookup

LOOKUP_S = 3.0
FORMS = {
    "email": (
        re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"),
        "an e-mail address",
    ),
    "text": (re.compile(r"\+[1-9][0-9]{7,14}"), "a telephone number, as +447700900123"),
}
"""What an address looks like. Source: HTML, 4.10.5.1.5, for e-mail; ITU-T E.164 for telephones."""


async def address_of(endpoint: EndpointIn, lookup: Lookup, *, private_too: bool) -> str:
    """Return where an endpoint's messages go.

    Raises:
        InvalidRequest: with the reason.
    """
    channel, url, address = endpoint.channel, endpoint.url, endpoint.address
    if (url is None) != (channel != "webhook") or (address is None) != (channel not in FORMS):
        raise wrong(["body"], "a url for a webhook, an address for an e-mail or text, else neither")
    if url is not None:
        await check(url, lookup, private_too=private_too)
        return url
    if address is not None:
        form, what = FORMS[channel]
        if not form.fullmatch(address):
            raise wrong(["body", "address"], what)
        return address
    if endpoint.agency is None:
        raise wrong(["body", "agency"], "an agency: feeds are agencies' own")
    return topic_of(endpoint.agency)


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
