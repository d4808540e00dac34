"""An OIDC issuer in a process of its own, made of Authlib's server.

`python -m tests.system.issuer PORT`: discovery, JWKS, and tokens by client credentials in the form
of RFC 9068. Its operator has a door of his own: POST /operator/keys signs with a new key from now
on, DELETE takes back all keys but the newest.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc.jwk import KeySet, RSAKey

AUDIENCE = "https://firstbell.example"
SECRET = "a client's secret"


class Client(NamedTuple):
    """What the issuer knows of a client, and puts into its tokens."""

    scope: str
    claims: Mapping[str, Any]
    audience: str = AUDIENCE
    lifetime_s: int = 300


CLIENTS = {
    "mis": Client("registers:write", {"urns": ["100000"]}),
    "authority": Client("bells:read", {"urns": ["100000"]}),
    "sam": Client("alerts:read", {"practitioner": "sam"}),
    "greedy": Client("admin", {}),
    "elsewhere": Client("registers:write", {"urns": ["100000"]}, audience="https://other.example"),
    "late": Client("registers:write", {"urns": ["100000"]}, lifetime_s=-60),
}


class Registered(ClientMixin):  # type: ignore[misc]
    """A client as Authlib's server asks about it."""

    def __init__(self, name: str) -> None:
        self.name, self.client = name, CLIENTS[name]

    def get_client_id(self) -> str:
        return self.name

    def get_allowed_scope(self, _: str) -> str:
        return self.client.scope

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, _: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant: str) -> bool:
        return grant == "client_credentials"


class Keys(JWTBearerTokenGenerator):  # type: ignore[misc]
    """Keys that rotate, and the tokens that the newest of them signs."""

    def __init__(self, issuer: str) -> None:
        super().__init__(issuer, expires_generator=lambda client, _: client.client.lifetime_s)
        self.held: list[RSAKey] = []
        self.rotate()

    def rotate(self) -> None:
        made = RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig"}, private=True)
        made.ensure_kid()
        self.held.append(made)

    def get_jwks(self) -> KeySet:
        return KeySet(self.held[-1:])

    def get_audiences(self, client: Registered, *_: Any) -> str:
        return client.client.audience

    def get_extra_claims(self, client: Registered, *_: Any) -> dict[str, Any]:
        return dict(client.client.claims)


def create_app(issuer: str) -> Flask:
    app, keys = Flask(__name__), Keys(issuer)
    server = AuthorizationServer(
        app,
        query_client=lambda name: Registered(name) if name in CLIENTS else None,
        save_token=lambda token, request: None,
    )
    server.register_grant(ClientCredentialsGrant)
    server.register_token_generator("default", keys)

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks",
            "token_endpoint": f"{issuer}/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return dict(KeySet(keys.held).as_dict(private=False))

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.post("/operator/keys")
    def rotate() -> tuple[str, int]:
        keys.rotate()
        return "", 204

    @app.delete("/operator/keys")
    def withdraw() -> tuple[str, int]:
        del keys.held[:-1]
        return "", 204

    return app


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # on this machine alone
    port = int(sys.argv[1])
    create_app(f"http://127.0.0.1:{port}").run("127.0.0.1", port)
