"""Checkpoints: signed, kept in the database and outside it, they show if the ledger is cut off.

Whoever can write to the database could take away the ledger's last records, or make a whole new
chain. A checkpoint says how many records there were and how the last one was hashed; without the
key nobody makes another, and its copy outside the database cannot be taken away from within it.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.keyfile import made_once
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import ledger
from services.notify.tables import Checkpoint

log = structlog.get_logger()

KEY_FILE = "ledger.key"
SIGNED = ("number", "records", "head", "at", "key")
"""What a checkpoint's signature covers."""


def file_of(settings: ServiceSettings) -> Path:
    """Return where checkpoints are written outside the database, a JSON object a line."""
    return settings.ledger_checkpoint_file or settings.data_dir / "ledger-checkpoints.jsonl"


class Seal:
    """Signs with the newest key; any of the keys' signatures holds."""

    def __init__(self, settings: ServiceSettings) -> None:
        if settings.ledger_key is not None:
            texts = settings.ledger_key.get_secret_value().split(",")
        else:
            texts = [made_once(settings.data_dir / KEY_FILE, _new_key).decode()]
        keys = [Ed25519PrivateKey.from_private_bytes(base64.b64decode(one)) for one in texts]
        self._keys = {_name_of(key): key for key in keys}
        self._newest = _name_of(keys[0])

    def signed(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Return a checkpoint with the name of the key and its signature."""
        named = {**checkpoint, "key": self._newest}
        return {**named, "signature": self._keys[self._newest].sign(_covered(named)).hex()}

    def holds(self, checkpoint: Mapping[str, Any]) -> bool:
        """Whether one of our keys signed this checkpoint as it stands."""
        try:
            key = self._keys[checkpoint["key"]]
            signature = bytes.fromhex(checkpoint["signature"])
            key.public_key().verify(signature, _covered(checkpoint))
        except (InvalidSignature, KeyError, ValueError, TypeError):
            return False
        return True


def _new_key() -> bytes:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())


def _name_of(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]


def _covered(checkpoint: Mapping[str, Any]) -> bytes:
    return json.dumps([checkpoint[name] for name in SIGNED]).encode()


async def add(db: AsyncConnection, seal: Seal) -> dict[str, Any] | None:
    """Add a checkpoint in this transaction; None when the ledger has not grown."""
    head = await ledger.lock(db)
    table = Checkpoint
    query = select(table.number, table.records).order_by(table.number.desc()).limit(1)
    last = (await db.execute(query)).first()
    number, records = last or (0, 0)
    # A shorter ledger than was sealed is for `verify` to tell, not to be sealed anew.
    if head.sequence <= records:
        return None
    made = {"number": number + 1, "records": head.sequence, "head": head.hash}
    signed = seal.signed({**made, "at": ledger.instant(utc_now())})
    await db.execute(insert(table), [signed])
    return signed


class Sealer:
    """Makes a checkpoint at set times, and once more at the end."""

    def __init__(self, settings: ServiceSettings, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._file = file_of(settings)
        self._every_s = settings.ledger_checkpoint_s

    async def run(self) -> None:
        """Make checkpoints until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self.make()
        except asyncio.CancelledError:
            with suppress(Exception):  # the next start makes it
                await self.make()
            raise

    async def make(self) -> None:
        """Make a checkpoint if the ledger has grown: in the database, then in file and log."""
        async with self._database.transaction() as db:
            made = await add(db, self._seal)
        # The file after the commit: a line in it without a row would look like a deleted row.
        if made is not None:
            await asyncio.to_thread(_append_line, self._file, json.dumps(made))
            log.info("ledger checkpoint", **made)


def _append_line(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(line + "\n")
