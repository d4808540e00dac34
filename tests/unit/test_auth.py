"""Bearer tokens: every way in which one can fail to hold, and an issuer that rotates its keys."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hmac import digest
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from libs.common.auth import ADMIN, Caller, Issuer, Verifier
from libs.common.problems import Forbidden, Unauthenticated, Unavailable
from libs.common.settings import ServiceSettings
from tests.listening import HttpServer, QuietHandler


class JwksServer:
    """An issuer's JWKS on a real socket; `keys` may change while it runs, `body` replaces them."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.body: bytes | None = None
        self.status = 200
        self.asked = 0

    @contextmanager
    def running(self) -> Iterator[str]:
        jwks = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                jwks.asked += 1
                body = jwks.body or json.dumps(KeySet(jwks.keys).as_dict(private=False)).encode()
                self.answer(jwks.status, body)

        with HttpServer(Handler) as server:
            yield server.url("/jwks.json")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"}, private=True)


KEY = key("one")


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": "https://issuer.example", "aud": "firstbell", "sub": "mis-1", "iat": now,
        "exp": now + 300, "scope": "registers:write bells:read", "urns": ["100000"],
    }  # fmt: skip
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def signed(with_key: Any = KEY, kid: str | None = "one", alg: str = "ES256", **changed: Any) -> str:
    header = {"alg": alg} if kid is None else {"alg": alg, "kid": kid}
    return jwt.encode(header, claims(**changed), with_key, algorithms=[alg])


@pytest.fixture
def jwks() -> JwksServer:
    return JwksServer(KEY)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(jwks: JwksServer, clock: Clock, tmp_path: Path) -> Iterator[Verifier]:
    with jwks.running() as url:
        settings = ServiceSettings(
            database_url="sqlite+aiosqlite://",
            data_dir=tmp_path,
            jwks_url=url,
            token_issuer="https://issuer.example",
        )
        yield Verifier(settings, clock)


async def test_a_token_that_holds_says_who_calls(verifier: Verifier) -> None:
    caller = await verifier.caller(signed())

    assert caller == Caller("mis-1", frozenset({"registers:write", "bells:read"}), {"100000"})


async def test_an_rsa_key_holds_too(verifier: Verifier, jwks: JwksServer) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256"}, private=True)
    jwks.keys.append(rsa)

    assert (await verifier.caller(signed(rsa, "rsa", "RS256"))).subject == "mis-1"


NOW = int(time.time())
BAD_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://another.example"},
    {"iss": None},
    {"aud": "another"},
    {"aud": None},
    {"aud": ["another"]},
    {"exp": NOW - 60},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": NOW + 3600},
    {"iat": NOW + 3600},
    {"sub": None},
    {"sub": {"a": 1}},
    {"scope": ["registers:write"]},
    {"urns": "100000"},
    {"urns": [100000]},
    {"practitioner": 7},
    {"agency": ["care"]},
]


@pytest.mark.parametrize("changed", BAD_CLAIMS, ids=lambda changed: next(iter(changed)))
async def test_a_token_with_a_wrong_claim_does_not_hold(
    verifier: Verifier, changed: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(signed(**changed))


async def test_a_token_meant_for_several_audiences_holds(verifier: Verifier) -> None:
    await verifier.caller(signed(aud=["another", "firstbell"]))


async def test_half_a_minute_of_clock_skew_is_forgiven(verifier: Verifier) -> None:
    await verifier.caller(signed(exp=int(time.time()) - 15, nbf=int(time.time()) + 15))


def by_hand(header: dict[str, str], sign: Callable[[bytes], bytes]) -> str:
    """Forge what our own library rightly refuses to make."""
    parts = [urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims())]
    said = b".".join(parts)
    return (said + b"." + urlsafe_b64encode(sign(said)).rstrip(b"=")).decode()


def unsigned() -> str:
    return by_hand({"alg": "none"}, lambda _: b"")


def hmac_with_the_public_key() -> str:
    # The classic confusion: the public key, which everybody knows, taken for a shared secret.
    secret = KEY.as_pem(private=False)
    return by_hand({"alg": "HS256", "kid": "one"}, lambda said: digest(secret, said, "sha256"))


def signed_by_a_stranger() -> str:
    return signed(key("one"))


def algorithm_not_pinned() -> str:
    p384 = ECKey.generate_key("P-384", {"kid": "one"}, private=True)
    return signed(p384, alg="ES384")


def changed_after_signing() -> str:
    head, _, signature = signed().split(".")
    return ".".join([head, signed(urns=["100001"]).split(".")[1], signature])


def cut_short() -> str:
    return signed()[:-8]


@pytest.mark.parametrize(
    "forge",
    [
        unsigned, hmac_with_the_public_key, signed_by_a_stranger, algorithm_not_pinned,
        changed_after_signing, cut_short,
    ],
)  # fmt: skip
async def test_a_forged_token_does_not_hold(verifier: Verifier, forge: Any) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(forge())


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "e30.e30.", "\ud800", "é.é.é", "x" * 9000]
)
async def test_what_is_no_token_does_not_hold(verifier: Verifier, text: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(text)


async def test_admin_is_the_embedded_issuers_alone(verifier: Verifier) -> None:
    caller = await verifier.caller(signed(scope=f"bells:read {ADMIN}"))

    assert not caller.is_admin
    assert caller.scopes == {"bells:read"}


async def test_keys_are_fetched_once_for_many_tokens(verifier: Verifier, jwks: JwksServer) -> None:
    for _ in range(5):
        await verifier.caller(signed())

    assert jwks.asked == 1


async def test_a_token_under_a_new_key_holds_once_the_issuer_publishes_it(
    verifier: Verifier, jwks: JwksServer, clock: Clock
) -> None:
    await verifier.caller(signed())
    new = key("two")
    jwks.keys.append(new)
    clock.now_s += 11

    assert (await verifier.caller(signed(new, "two"))).subject == "mis-1"
    assert (await verifier.caller(signed())).subject == "mis-1"


async def test_a_key_that_the_issuer_took_back_no_longer_holds(
    verifier: Verifier, jwks: JwksServer, clock: Clock
) -> None:
    await verifier.caller(signed())
    jwks.keys = [key("two")]
    clock.now_s += 301

    with pytest.raises(Unauthenticated):
        await verifier.caller(signed())


async def test_tokens_under_unknown_keys_do_not_have_the_issuer_asked_each_time(
    verifier: Verifier, jwks: JwksServer, clock: Clock
) -> None:
    await verifier.caller(signed())
    for _ in range(20):
        clock.now_s += 1
        with pytest.raises(Unauthenticated):
            await verifier.caller(signed(key("x"), "x"))

    assert jwks.asked <= 3


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (200, b"no JSON"), (200, b"{}"), (200, b'{"keys": [{}]}')]
)
async def test_an_issuer_without_keys_is_our_trouble_and_not_the_callers(
    verifier: Verifier, jwks: JwksServer, status: int, body: bytes
) -> None:
    jwks.status, jwks.body = status, body

    with pytest.raises(Unavailable):
        await verifier.caller(signed())


async def test_while_the_issuer_is_away_its_last_keys_hold_for_a_quarter_of_an_hour(
    verifier: Verifier, jwks: JwksServer, clock: Clock
) -> None:
    await verifier.caller(signed())
    jwks.status = 500

    for _ in range(14):
        clock.now_s += 60
        assert (await verifier.caller(signed())).subject == "mis-1"
    clock.now_s += 61
    with pytest.raises(Unavailable):
        await verifier.caller(signed())
    jwks.status = 200
    clock.now_s += 11
    assert (await verifier.caller(signed())).subject == "mis-1"


async def test_an_issuer_that_is_away_is_not_asked_for_every_token(
    verifier: Verifier, jwks: JwksServer
) -> None:
    jwks.status = 500

    for _ in range(5):
        with pytest.raises(Unavailable):
            await verifier.caller(signed())

    assert jwks.asked == 1


async def test_tokens_that_come_at_once_have_the_issuer_asked_once(
    verifier: Verifier, jwks: JwksServer
) -> None:
    await asyncio.gather(*(verifier.caller(signed()) for _ in range(20)))

    assert jwks.asked == 1


def test_a_schools_token_speaks_for_its_own_urns_alone() -> None:
    caller = Caller("school", frozenset(), urns=frozenset({"100000"}))

    caller.must_speak_for("100000")
    with pytest.raises(Forbidden):
        caller.must_speak_for("100001")


async def test_the_embedded_issuers_key_is_made_once_and_kept_from_others(
    settings: ServiceSettings,
) -> None:
    made = [Issuer(settings.data_dir, "firstbell", "firstbell") for _ in range(2)]
    token = made[0].token("admin", timedelta(minutes=5), scope=ADMIN)

    caller = await Verifier(settings).caller(token)

    assert caller.is_admin
    assert made[0].key().as_dict() == made[1].key().as_dict()
    assert (settings.data_dir / "issuer.json").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in settings.data_dir.iterdir()) == ["issuer.json"]
