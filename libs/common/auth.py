"""Bearer tokens: who calls, and what the token allows."""

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog
from fastapi import Request
from fastapi.security import OAuth2, SecurityScopes
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet

from libs.common import tenants
from libs.common.keyfile import made_once
from libs.common.problems import Forbidden, TooMany, Unauthenticated, Unavailable
from libs.common.rates import Buckets, whole_seconds
from libs.common.settings import ServiceSettings

log = structlog.get_logger()

ADMIN = "admin"
"""A scope that allows everything; only the embedded issuer's tokens may bear it."""

KEY_FILE = "issuer.json"
JWKS_REFETCH_S = 10.0
"""How often the issuer is asked at most, whatever tokens come and whether it answers or not."""
JWKS_HELD_S = 900.0
"""How long its last keys are gone by while it does not answer: one taken back counts that long."""


@dataclass(frozen=True)
class Caller:
    """Who calls: the token's subject, its scopes, and whose it is.

    Args:
        urns: schools that a school's or a vendor's token speaks for.
        las: local authorities, by code, whose schools the scope `area` lets the caller read.
        practitioner: id of the practitioner whose token this is.
        agency: id of the agency whose system's token this is.
    """

    subject: str
    scopes: frozenset[str]
    urns: frozenset[str] = frozenset()
    practitioner: str | None = None
    agency: str | None = None
    las: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Whether this is the operator of an embedded installation."""
        return ADMIN in self.scopes

    def speaks_for(self, urn: str) -> bool:
        """Whether the caller may act for this school."""
        return self.is_admin or urn in self.urns

    def must_speak_for(self, urn: str) -> None:
        """Refuse a caller without rights on this school.

        Raises:
            Forbidden: the token's `urns` do not name it.
        """
        if not self.speaks_for(urn):
            raise Forbidden(f"The token does not speak for school {urn}: see its claim `urns`.")


class _Claims(msgspec.Struct):
    sub: str
    scope: str = ""
    urns: list[str] | None = None
    practitioner: str | None = None
    agency: str | None = None
    las: list[str] | None = None


class Issuer:
    """The embedded issuer: a key in the data folder, made on first start, readable by its owner."""

    def __init__(self, data_dir: Path, issuer: str, audience: str) -> None:
        self._path = data_dir / KEY_FILE
        self._issuer = issuer
        self._audience = audience

    def key(self) -> ECKey:
        """Return the signing key; the first call makes it."""
        return ECKey.import_key(json.loads(made_once(self._path, _new_key)))

    def token(self, subject: str, lifetime: timedelta, **claims: Any) -> str:
        """Return a signed token with these claims, e.g. `scope="bells:read", urns=["100000"]`."""
        now = int(time.time())
        body = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": "embedded"}, body, self.key())


def _new_key() -> bytes:
    made = ECKey.generate_key("P-256", {"kid": "embedded", "alg": "ES256"}, private=True)
    return json.dumps(made.as_dict(private=True)).encode()


class Verifier:
    """Checks tokens against the issuer's keys: signature, algorithm, issuer, audience, expiry.

    Args:
        clock: seconds that only grow, for the age of the keys.
    """

    def __init__(
        self, settings: ServiceSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": settings.token_issuer},
            aud={"essential": True, "value": settings.token_audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys: KeySet | None = None
        self._fetched_at: float = -math.inf
        self._asked_at: float = -math.inf
        self._asking = asyncio.Lock()

    async def caller(self, token: str) -> Caller:
        """Return who bears this token.

        Raises:
            Unauthenticated: it does not hold.
            Unavailable: the issuer's keys cannot be had.
        """
        try:
            claims = msgspec.convert(await self._verified(token), _Claims)
        except (JoseError, ValueError, TypeError, KeyError, msgspec.ValidationError) as error:
            raise Unauthenticated(f"The token does not hold: {type(error).__name__}.") from None
        scopes = frozenset(claims.scope.split())
        if self._settings.jwks_url is not None:
            scopes -= {ADMIN}
        return Caller(
            subject=claims.sub,
            scopes=scopes,
            urns=frozenset(claims.urns or ()),
            practitioner=claims.practitioner,
            agency=claims.agency,
            las=frozenset(claims.las or ()),
        )

    async def _verified(self, token: str) -> dict[str, Any]:
        algorithms = list(self._settings.token_algorithms)
        try:
            decoded = jwt.decode(token, await self._key_set(self._settings.jwks_kept_s), algorithms)
        except InvalidKeyIdError:
            # An unknown key id: the issuer may have rotated its keys.
            decoded = jwt.decode(token, await self._key_set(JWKS_REFETCH_S), algorithms)
        self._claims.validate(decoded.claims)
        return decoded.claims

    async def _key_set(self, age_max_s: float) -> KeySet:
        async with self._asking:
            if self._age_s() > age_max_s and self._clock() - self._asked_at > JWKS_REFETCH_S:
                self._asked_at = self._clock()
                await self._refresh()
            if self._keys is None or self._age_s() > JWKS_HELD_S:
                raise Unavailable("The token issuer's keys cannot be fetched.")
            return self._keys

    def _age_s(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        try:
            self._keys = await self._fetch()
            self._fetched_at = self._clock()
        except (OSError, JoseError, ValueError, TypeError, KeyError) as error:
            why = type(error.__cause__ or error).__name__
            log.warning("token issuer's keys not fetched", error=why)

    async def _fetch(self) -> KeySet:
        settings = self._settings
        if settings.jwks_url is None:
            issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
            return KeySet([issuer.key()])
        import httpx  # a tenth of a second of a start: only for an issuer elsewhere

        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = (await client.get(settings.jwks_url)).raise_for_status()
        except httpx.HTTPError as error:
            raise ConnectionError from error
        return KeySet.import_key_set(answer.json())


def _take_from(clients: Buckets, caller: Caller) -> None:
    wait_s = clients.take(caller.subject)
    if wait_s:
        after_s = whole_seconds(wait_s)
        detail = f"This client makes too many calls; go on in {after_s} s, and more slowly."
        raise TooMany(detail, after_s)


class Bearer(OAuth2):
    """The security scheme of every service, with its scopes in the OpenAPI document.

    Args:
        across: scopes whose routes read every tenant's rows, whoever calls.
    """

    def __init__(self, scopes: dict[str, str], across: Iterable[str] = ()) -> None:
        flows: Any = {"clientCredentials": {"tokenUrl": "token", "scopes": scopes}}
        super().__init__(flows=flows, scheme_name="bearer", auto_error=False)
        self._across = frozenset(across)

    async def __call__(self, request: Request, needed: SecurityScopes) -> Caller:  # type: ignore[override]
        """Return the caller, whose token allows what the route needs.

        From here on the request's transactions see the caller's rows alone.

        Raises:
            Unauthenticated: no token, or one that does not hold.
            Forbidden: a scope is missing.
            TooMany: the client has made more calls than it may.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Send a header `Authorization: Bearer <token>`.")
        verifier: Verifier = request.app.state.verifier
        caller = await verifier.caller(token.strip())
        missing = sorted(set(needed.scopes) - caller.scopes)
        if missing and not caller.is_admin:
            raise Forbidden(f"The token lacks the scope {', '.join(missing)}.")
        _take_from(request.app.state.clients, caller)
        tenants.act_for(self._scope_of(caller, needed.scopes))
        return caller

    def _scope_of(self, caller: Caller, needed: Iterable[str]) -> tenants.Scope:
        if caller.is_admin or self._across & set(needed):
            return tenants.EVERYTHING
        return tenants.Scope(caller.urns, caller.practitioner, caller.agency)
