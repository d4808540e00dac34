"""Ways in which an address may try to lead inside; in each, PORT is where the canary listens.

`reaches`: without the guard it does reach the canary. `taken`: at registration nothing is to be
seen of where it leads; the guard at the connection is what is left. `lost`: as the sender reads it,
it leads to a name that nobody knows.
"""

from typing import NamedTuple

from tests.service.name_server import Found


class Vector(NamedTuple):
    """One way in."""

    name: str
    url: str
    reaches: bool = False
    taken: bool = False
    lost: bool = False


NOWHERE = "3ffe::1"
"""Public by its number, and nobody's: once the 6bone's, given back in 2006 (RFC 3701)."""
PUBLIC = Found(("93.184.215.14",))
HOME = Found(("127.0.0.1",))

# Hosts that are numbers. Those that aiohttp takes for the loopback are marked by `!`.
V4 = """
!127.0.0.1 !127.0.0.2 !127.255.255.254 127.1 127.0.1 2130706433 0x7f000001 0X7F000001 0x7f.0.0.1
0x7f.1 0177.0.0.1 017700000001 0177.1 127.0x0.0.1 127.0.0.0x1 0x7f.0.0.01 00000177.0.0.1 !0.0.0.0
0 00 0x0 0.0 0.0.0 10.0.0.1 10.255.255.255 167772161 0xa.0.0.1 012.0.0.1 172.16.0.1 172.31.255.254
0xac100001 2886729729 192.168.0.1 192.168.257 3232235521 0xc0a80001 0300.0250.0.1 169.254.169.254
169.254.43518 2852039166 0xa9fea9fe 0251.0376.0251.0376 0251.254.169.254 169.254.170.2
169.254.169.253 100.64.0.1 100.100.100.200 100.127.255.254 1681915905 192.0.0.1 192.0.0.192
192.0.2.1 198.51.100.7 203.0.113.9 198.18.0.1 198.19.255.254 192.88.99.1 224.0.0.1 233.252.0.1
239.255.255.250 240.0.0.1 255.255.255.255 4294967295 168.63.129.16 127.0.0.1. 127.0.0.1..
""".split()
V6 = """
!::1 !0:0:0:0:0:0:0:1 !0000:0000:0000:0000:0000:0000:0000:0001 !:: !::ffff:127.0.0.1 !::ffff:7f00:1
!::FFFF:127.0.0.1 !0:0:0:0:0:ffff:127.0.0.1 ::ffff:0:127.0.0.1 ::127.0.0.1 ::7f00:1 ::ffff:10.0.0.1
::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:192.168.0.1 ::ffff:0.0.0.0 ::2 2002:7f00:1::
2002:a9fe:a9fe::1 2002:c0a8:1::1 2001::1 2001:0:7f00:1:: 2001:0:4136:e378:8000:63bf:80ff:fffe
64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 fe80::1 fe80::1%25lo
fe80::1%25eth0 fe80::1%25251 ::1%25lo febf::1 fec0::1 feff::1 fc00::1 fd00::1 fd00:ec2::254
fd20:ce::254 fdff:ffff::1 ff01::1 ff02::1 ff02::1%25lo ff05::1:3 ff0e::1 2001:db8::1 3fff::1 100::1
2001:2::1 2001:10::1 2001:20::1 5f00::1 4000::1 e000::1
""".split()
UNICODE = """
ⓛocalhost ①27.0.0.1 127。0。0。1 １２７.０.０.１ 127．0．0．1 127｡0｡0｡1 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ⑯⑨.②⑤④.⑯⑨.②⑤④
ℓocalhost ｌｏｃａｌｈｏｓｔ 𝓁ocalhost loc\u00adalhost 0ⓧ7f000001 ［::1］ xn--localhost-
""".split()
NAMES: dict[str, tuple[Found, ...]] = {
    "inside.example": (HOME,),
    "v6.example": (Found(("::1",)),),
    "mapped.example": (Found(("::ffff:127.0.0.1",)),),
    "any.example": (Found(("0.0.0.0",)),),
    "any6.example": (Found(("::",)),),
    "ten.example": (Found(("10.0.0.1",)),),
    "net172.example": (Found(("172.16.5.4",)),),
    "net192.example": (Found(("192.168.1.1",)),),
    "shared.example": (Found(("100.64.0.1",)),),
    "metadata.example": (Found(("169.254.169.254",)),),
    "metadata6.example": (Found(("fd00:ec2::254",)),),
    "link.example": (Found(("fe80::1",)),),
    "site.example": (Found(("fec0::1",)),),
    "six-to-four.example": (Found(("2002:7f00:1::",)),),
    "nat64.example": (Found(("64:ff9b::7f00:1",)),),
    "teredo.example": (Found(("2001:0:7f00:1::",)),),
    "everybody.example": (Found(("255.255.255.255",)),),
    "group.example": (Found(("224.0.0.1", "ff02::1")),),
    "several.example": (Found(("10.0.0.1", "127.0.0.1", "::1")),),
    "mixed.example": (Found((NOWHERE, "127.0.0.1")),),
    "mixed6.example": (Found((NOWHERE, "::1")),),
    "many.example": (Found((NOWHERE, *(f"127.0.0.{n}" for n in range(1, 9)), "::1")),),
    "127.0.0.1.nip.example": (HOME,),
    "7f000001.nip.example": (HOME,),
    "app-127-0-0-1.nip.example": (HOME,),
    "alias.example": (Found(("127.0.0.1",), ("inside.example",)),),
    "alias-of-localhost.example": (Found(("127.0.0.1",), ("localhost",)),),
    "chain.example": (Found(("127.0.0.1",), tuple(f"link{n}.example" for n in range(6))),),
    "chain6.example": (Found(("::1",), ("cdn.example", "edge.example")),),
    "xn--schl-1ra.example": (HOME,),
    "Caps.Example": (HOME,),
    "a" * 63 + ".example": (HOME,),
}
REBINDING: dict[str, tuple[Found, ...]] = {
    "rebinds.example": (PUBLIC, HOME),
    "rebinds-to-v6.example": (PUBLIC, Found(("::1",))),
    "rebinds-to-any.example": (PUBLIC, Found(("0.0.0.0",))),
    "rebinds-to-mapped.example": (PUBLIC, Found(("::ffff:127.0.0.1",))),
    "rebinds-to-metadata.example": (PUBLIC, Found(("169.254.169.254",))),
    "rebinds-to-shared.example": (PUBLIC, Found(("100.64.0.1",))),
    "rebinds-to-ten.example": (PUBLIC, Found(("10.0.0.1",))),
    "rebinds-to-alias.example": (PUBLIC, Found(("127.0.0.1",), ("inside.example",))),
    "rebinds-to-mixed.example": (PUBLIC, Found((NOWHERE, "127.0.0.1", "::1"))),
    "is-not-there-at-first.example": (Found(), HOME),
}
OWN_NAMES = """
localhost LOCALHOST LocalHost localhost. localhost.. db.localhost ip6-localhost ip6-loopback
metadata metadata.google.internal metadata.google.internal. kubernetes.default.svc.cluster.local
postgres printer.local router.home.arpa 1.0.0.127.in-addr.arpa instance-data vault.internal
""".split()
WRITTEN = {
    "user name": "https://cases.example@127.0.0.1:PORT/",
    "user name and word": "https://cases.example:443@127.0.0.1:PORT/",
    "empty user name": "https://@127.0.0.1:PORT/",
    "two at signs": "https://a@cases.example@127.0.0.1:PORT/",
    "inside as a user name": "https://127.0.0.1:PORT@cases.example/",
    "encoded at sign": "https://cases.example%40127.0.0.1:PORT/",
    "fragment before the host": "https://cases.example#@127.0.0.1:PORT/",
    "fragment after the host": "https://127.0.0.1:PORT#@cases.example/",
    "query after the host": "https://127.0.0.1:PORT?@cases.example/",
    "backslash and at sign": "https://cases.example\\@127.0.0.1:PORT/",
    "backslash for the path": "https://127.0.0.1:PORT\\@cases.example/",
    "backslashes for slashes": "https:\\\\127.0.0.1:PORT/",
    "one slash": "https:/127.0.0.1:PORT/",
    "no slash": "https:127.0.0.1:PORT/",
    "three slashes": "https:///127.0.0.1:PORT/",
    "four slashes": "https:////127.0.0.1:PORT/",
    "no scheme": "//127.0.0.1:PORT/",
    "host alone": "127.0.0.1:PORT",
    "semicolon": "https://127.0.0.1:PORT;cases.example/",
    "semicolon and at sign": "https://cases.example;@127.0.0.1:PORT/",
    "IPv4 in brackets": "https://[127.0.0.1]:PORT/",
    "brackets left open": "https://[::1:PORT/",
    "IPv6 without brackets": "https://::1:PORT/",
    "two ports": "https://127.0.0.1:PORT:80/",
    "port in hexadecimal": "https://127.0.0.1:0x1F90/",
    "port below nought": "https://127.0.0.1:-1/",
    "NUL": "https://127.0.0.1\0.cases.example:PORT/",
    "encoded NUL": "https://127.0.0.1%00.cases.example:PORT/",
    "encoded dots": "https://127%2e0%2e0%2e1:PORT/",
    "encoded digits": "https://%31%32%37.0.0.1:PORT/",
    "encoded letters": "https://%6c%6f%63alhost:PORT/",
    "encoded twice": "https://127%252e0%252e0%252e1:PORT/",
    "line break in the host": "https://127.0.0.1\r\n:PORT/",
    "encoded line break in the host": "https://127.0.0.1%0d%0aHost:a:PORT/",
    "line break and a header": "https://127.0.0.1:PORT/ HTTP/1.1\r\nHost: cases.example\r\n",
    "tab in the host": "https://127.0.\t0.1:PORT/",
    "blank before": " https://127.0.0.1:PORT/",
    "blank after": "https://127.0.0.1:PORT/ ",
    "blank in the host": "https://127.0.0.1 .cases.example:PORT/",
    "upper case scheme": "HTTPS://127.0.0.1:PORT/",
    "absolute form of a path": "https://127.0.0.1:PORT/https://cases.example/",
    "path upwards": "https://127.0.0.1:PORT/../../",
    "leading zeros": "https://" + "0" * 300 + "177.0.0.1:PORT/",
    "label too long": "https://" + "a" * 64 + ".127.0.0.1:PORT/",
    "name too long": "https://" + "a." * 130 + "127.0.0.1:PORT/",
    "address too long": "https://127.0.0.1:PORT/" + "a" * 2000,
    "comma": "https://127.0.0.1,cases.example:PORT/",
    "text direction": "https://\u202e127.0.0.1:PORT/",
}
TAKEN = {
    "fragment before the host", "leading zeros", "label too long", "name too long", "comma",
}  # fmt: skip
LOST = {*TAKEN, "inside as a user name", "blank in the host"}
SCHEMES = """
http HTTP ftp ftps file gopher dict ldap ldaps tftp sftp ssh jar netdoc ws wss unix http+unix redis
tcp
""".split()
PORTS = ("22", "25", "80", "2375", "5432", "6379", "8500", "9092", "10250", "65535")


def _numbers() -> list[Vector]:
    v4 = [
        Vector(host.strip("!"), f"https://{host.strip('!')}:PORT/", host[0] == "!") for host in V4
    ]
    v6 = [
        Vector(host.strip("!"), f"https://[{host.strip('!')}]:PORT/", host[0] == "!") for host in V6
    ]
    return v4 + v6


def _names() -> list[Vector]:
    own = [Vector(f"name {host}", f"https://{host}:PORT/") for host in OWN_NAMES]
    seen = [Vector(f"resolves {host[:40]}", f"https://{host}:PORT/") for host in NAMES]
    dot = [Vector("resolves, with a dot", "https://inside.example.:PORT/", reaches=True)]
    later = [Vector(host, f"https://{host}:PORT/", taken=True) for host in REBINDING]
    return own + _that_reach(seen) + dot + _that_reach(later)


def _that_reach(vectors: list[Vector]) -> list[Vector]:
    # In the end these lead to the loopback, where the canary listens.
    home = {"127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"}
    found = {
        f"https://{host}:PORT/": answers[-1] for host, answers in {**NAMES, **REBINDING}.items()
    }
    return [one._replace(reaches=bool(home & {*found[one.url].addresses})) for one in vectors]


def _written() -> list[Vector]:
    odd = [
        Vector(name, url, taken=name in TAKEN, lost=name in LOST) for name, url in WRITTEN.items()
    ]
    schemes = [Vector(f"scheme {name}", f"{name}://127.0.0.1:PORT/") for name in SCHEMES]
    ports = [Vector(f"port {port}", f"https://127.0.0.1:{port}/") for port in PORTS]
    unicode = [Vector(f"unicode {host}", f"https://{host}:PORT/") for host in UNICODE]
    return odd + schemes + ports + unicode


VECTORS = _numbers() + _names() + _written()
