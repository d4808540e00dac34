"""Tokens that do not hold, of every kind."""

import base64
import json
from datetime import timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OctKey

from libs.common.auth import Issuer


def bad_tokens(folder: Path) -> dict[str, str]:
    """Return a token of every kind that does not hold; each would else allow everything."""
    hour = timedelta(hours=1)
    issuer, audience = "firstbell", "firstbell"
    good = Issuer(folder, issuer, audience)
    whole = good.token("x", hour, scope="admin")
    head, body, signature = whole.split(".")
    other = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    public = json.dumps(good.key().as_dict(private=False))
    mixed = jwt.encode(
        {"alg": "HS256", "kid": "embedded"},
        {"iss": issuer, "aud": audience, "sub": "x", "exp": 2**40, "scope": "admin"},
        OctKey.import_key(public),
        algorithms=["HS256"],
    )
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return {
        "none": "",
        "no token": "abc",
        "expired": good.token("x", -hour, scope="admin"),
        "for another audience": Issuer(folder, issuer, "x").token("x", hour),
        "by another issuer": Issuer(folder, "x", audience).token("x", hour),
        "by another key": Issuer(elsewhere, issuer, audience).token("x", hour, scope="admin"),
        "alg none": f"{other}.{body}.",
        "alg none, signed": f"{other}.{body}.{signature}",
        "signed with the public key": mixed,
        "unsigned": f"{head}.{body}.",
        "another body": f"{head}.{body[:-4]}AAAA.{signature}",
    }
