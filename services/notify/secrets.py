"""Webhook secrets: made here, shown once, encrypted at rest."""

import base64
import secrets

from cryptography.fernet import Fernet, MultiFernet

from libs.common.keyfile import made_once
from libs.common.settings import ServiceSettings

KEY_FILE = "secrets.key"
SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""


def new_secret() -> str:
    """Return a fresh `whsec_…` secret."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Vault:
    """Encrypts with the newest key, decrypts with any."""

    def __init__(self, settings: ServiceSettings) -> None:
        if settings.secret_key is not None:
            keys = settings.secret_key.get_secret_value().split(",")
        else:
            made = made_once(settings.data_dir / KEY_FILE, Fernet.generate_key)
            keys = [made.decode()]
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])

    def seal(self, secret: str) -> bytes:
        """Encrypt a secret."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt a secret."""
        return self._fernet.decrypt(sealed).decode()
