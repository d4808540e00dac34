"""An external OIDC issuer, a process of its own: its tokens are taken, its keys rotate."""

import json
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hmac import digest
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from tests.system.issuer import AUDIENCE, SECRET
from tests.system.stack import ADA, FIRSTBELL, REGISTER, Stack, free_port, wait_for

KEPT_S = 4
"""Seconds that the services hold the issuer's keys in this test."""
SERVICES = ("ingest", "risk", "notify")


class Issuer:
    """An issuer's process, and what its discovery document says."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "tests.system.issuer", str(port)]
        self.process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
        )
        self.described: dict[str, Any] = wait_for(self._discovery)

    def _discovery(self) -> Any:
        try:
            return httpx.get(f"{self.url}/.well-known/openid-configuration").json()
        except httpx.TransportError:
            return None

    def token(self, client: str) -> str:
        answer = httpx.post(
            self.described["token_endpoint"],
            auth=(client, SECRET),
            data={"grant_type": "client_credentials", "scope": "any"},
        )
        return str(answer.raise_for_status().json()["access_token"])

    def keys(self) -> list[dict[str, Any]]:
        return list(httpx.get(self.described["jwks_uri"]).json()["keys"])

    def rotate(self) -> None:
        httpx.post(f"{self.url}/operator/keys").raise_for_status()

    def withdraw_old_keys(self) -> None:
        httpx.delete(f"{self.url}/operator/keys").raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stack(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("oidc")
    made = Stack(folder)
    made.env |= {
        "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/{{service}}.db",
        "FIRSTBELL_DATA_DIR": str(folder),
        "FIRSTBELL_TOKEN_ISSUER": issuer.described["issuer"],
        "FIRSTBELL_TOKEN_AUDIENCE": AUDIENCE,
        "FIRSTBELL_JWKS_URL": issuer.described["jwks_uri"],
        "FIRSTBELL_JWKS_KEPT_S": str(KEPT_S),
    }
    subprocess.run([FIRSTBELL, "migrate"], env=made.env, check=True)
    for service in SERVICES:
        made.ports[service] = free_port()
        port = str(made.ports[service])
        made.commands[service] = [FIRSTBELL, "serve", service, "--port", port]
        made.start(service)
    made.wait_ready(*SERVICES)
    yield made
    made.stop()


def send(stack: Stack, token: str) -> int:
    """Send a register with this token; return the answer's status."""
    return httpx.put(
        f"http://127.0.0.1:{stack.ports['ingest']}{REGISTER}",
        headers={"Authorization": f"Bearer {token}"},
        json={"marks": [{"upn": ADA, "code": "/"}]},
    ).status_code


def read(stack: Stack, path: str, token: str) -> int:
    service = path.split("/")[1]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{stack.ports[service]}{path}"
    return httpx.get(url, headers=headers).status_code


def test_every_service_takes_the_issuers_tokens_for_what_they_allow(
    stack: Stack, issuer: Issuer
) -> None:
    assert send(stack, issuer.token("mis")) == 202
    assert read(stack, "/risk/v1/bells?urn=100000", issuer.token("authority")) == 200
    assert read(stack, "/notify/v1/alerts", issuer.token("sam")) == 200
    assert send(stack, issuer.token("authority")) == 403
    assert send(stack, issuer.token("greedy")) == 403  # `admin` is the embedded issuer's alone


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token made by hand, as a library would refuse to."""
    parts = [urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims)]
    said = b".".join(parts)
    signature = digest(secret, said, "sha256") if secret else b""
    return (said + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_what_the_issuer_did_not_mean_for_us_is_refused(stack: Stack, issuer: Issuer) -> None:
    now = int(time.time())
    claims = {
        "iss": issuer.url, "aud": AUDIENCE, "sub": "mis", "iat": now, "exp": now + 300,
        "scope": "registers:write", "urns": ["100000"],
    }  # fmt: skip
    (public,) = issuer.keys()
    confused = RSAKey.import_key(public).as_pem(private=False)
    stranger = Issuer()
    try:
        refused = {
            "another audience": issuer.token("elsewhere"),
            "expired": issuer.token("late"),
            "another issuer": stranger.token("mis"),
            "alg none": forged({"alg": "none"}, claims, None),
            "the public key as a secret": forged(
                {"alg": "HS256", "kid": public["kid"]}, claims, confused
            ),
            "no token": "abc",
        }
    finally:
        stranger.stop()

    assert {why: send(stack, token) for why, token in refused.items()} == dict.fromkeys(
        refused, 401
    )
    assert send(stack, issuer.token("mis")) == 202


def test_a_new_key_holds_without_a_restart_and_an_old_one_no_longer_once_it_is_taken_back(
    stack: Stack, issuer: Issuer
) -> None:
    old = issuer.token("mis")
    assert send(stack, old) == 202

    issuer.rotate()
    new = issuer.token("mis")
    wait_for(lambda: send(stack, new) == 202)
    assert send(stack, old) == 202

    issuer.withdraw_old_keys()
    wait_for(lambda: send(stack, old) == 401, KEPT_S + 15)
    assert send(stack, new) == 202
