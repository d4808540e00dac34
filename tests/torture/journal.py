"""Ledgers: files to which lines are added, each on disk before anybody goes on."""

import json
import os
import threading
from pathlib import Path
from typing import Any


class Journal:
    """An append-only file of JSON lines, fsynced line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def add(self, **line: Any) -> None:
        """Return once the line is on disk."""
        with self._lock:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def lines(self) -> list[dict[str, Any]]:
        """Read every line from the file."""
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

    def size(self) -> int:
        """Return the file's size in bytes."""
        return self._path.stat().st_size

    def close(self) -> None:
        self._file.close()
