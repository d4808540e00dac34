"""Webhook secrets: made here, shown once, encrypted at rest."""

import base64
import contextlib
import secrets

from cryptography.fernet import Fernet, MultiFernet

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
            keys = [_made_key(settings)]
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])

    def seal(self, secret: str) -> bytes:
        """Encrypt a secret."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt a secret."""
        return self._fernet.decrypt(sealed).decode()


def _made_key(settings: ServiceSettings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / KEY_FILE
    if not path.exists():
        # Linked when it is whole: another process that starts now never reads half a key.
        draft = path.with_suffix(f".{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_bytes(Fernet.generate_key())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()
