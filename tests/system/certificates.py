"""Real certificates, made for one test: an authority, and those whom it vouches for."""

from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Pair(NamedTuple):
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Vouches for servers on 127.0.0.1 and for clients."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA(organization_name=name)
        self.certificate = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def vouch_for(self, name: str, address: str = "127.0.0.1") -> Pair:
        """Make a certificate in this name, good for a server at this address."""
        made = self._authority.issue_cert(address, common_name=name)
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        made.cert_chain_pems[0].write_to_path(pair.certificate)
        pair.key.write_bytes(_pkcs8(made.private_key_pem.bytes()))
        return pair


def _pkcs8(key: bytes) -> bytes:
    """Return a PEM key in the one form that Kafka reads; trustme writes the older one."""
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
