"""Keys that are made on first start and kept in a file of their owner's alone."""

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what the file holds; the first call makes it, whichever process is first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Linked when it is whole: another process that starts now never reads half a key.
        draft = path.with_suffix(f".{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_bytes(make())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_bytes()
