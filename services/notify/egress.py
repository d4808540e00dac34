"""Which addresses may be connected to: public ones, whatever form they are written in."""

import ipaddress
import socket
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out as global unicast (RFC 4291, IANA's registry)."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NEVER = (
    ipaddress.ip_network("2002::/16"),  # 6to4: leads to an IPv4 address
    ipaddress.ip_network("2001::/23"),  # Teredo and other protocols' own
    ipaddress.ip_network("2001:db8::/32"),  # for examples
    ipaddress.ip_network("3fff::/20"),  # for examples
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4's relays
    ipaddress.ip_network("192.0.0.0/24"),  # protocols' own
    ipaddress.ip_network("168.63.129.16/32"),  # public by number, but a cloud's inside
)
INSIDE = frozenset({"localhost", "local", "internal", "arpa"})
"""Names that are never public end in these (RFC 6761, 6762, 8375; ICANN 2024 of `internal`)."""
RECEIVE_BUFFER_BYTES = 16_384
"""What the system takes in of an answer before it is read; Linux doubles it for its own needs."""


class OutgoingSocket(socket.socket):
    """A socket that whoever connects it closes, and the garbage collector never.

    When a connection fails at once (a RST to a TLS handshake), uvloop closes its number and leaves
    this object as it was: a late close would hit whatever has that number by then.
    """

    def __del__(self) -> None:
        """Close nothing."""


class AddressRefused(OSError):
    """A connection to what is not public was about to be made."""


def is_public(text: str) -> bool:
    """Whether an IP address, as text, is a public one; its zone is passed over."""
    ip = _plain(ipaddress.ip_address(text.partition("%")[0]))
    if any(ip in network for network in NEVER):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in PUBLIC_V6 and ip.is_global
    return ip.is_global and not ip.is_multicast


def may_be_public(host: str) -> bool:
    """Whether a host may be a public one, as far as can be told without looking a name up.

    An address in any form that the system takes for one (`127.1`, `0x7f000001`) is judged as such,
    a name by its last label. A name of one label is somebody's own, and so is an address's zone.
    """
    bare = host.rstrip(".").lower()
    if bare.rpartition(".")[2] in INSIDE or not {".", ":"} & set(bare) or "%" in bare:
        return False
    try:
        found = socket.getaddrinfo(bare, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True
    return all(is_public(str(info[4][0])) for info in found)


def _plain(ip: Address) -> Address:
    # An IPv6 address that stands for an IPv4 one leads wherever that does.
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip


def guarded_socket(info: Any) -> socket.socket:
    """Return a socket for the very address that will be connected to, as `getaddrinfo` gave it.

    Names are resolved before, and nothing is resolved after: what is checked here is what is used.

    Raises:
        AddressRefused: the address is not public.
    """
    if not is_public(str(info[4][0])):
        raise AddressRefused("not a public address")
    return small_socket(info)


def small_socket(info: Any) -> socket.socket:
    """Return a socket that takes in little before it is read."""
    family, kind, protocol, _, _ = info
    made = OutgoingSocket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return made
