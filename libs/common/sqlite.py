"""SQLite's connections: each has a thread of its own, and a statement is one way there and back.

aiosqlite goes to the thread for a cursor, for the statement, for its rows and for the cursor's end.
Each way costs two switches of threads, which is more than most statements cost.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite

ROWS_AT_ONCE = 1000
"""Rows that come with their statement; a longer result comes in further ways."""

Rows = list[tuple[Any, ...]]


class Cursor:
    """What SQLAlchemy's adapter asks of an asynchronous cursor."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None
        """While the statement has more rows."""
        self._rows: Rows = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> Self:
        """Run a statement, and bring its first rows along."""
        await self._connection.there(self._run, statement, values)
        return self

    async def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> Self:
        """Run a statement with each of these values."""
        await self._connection.there(self._run_many, statement, values)
        return self

    async def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, if there is one."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> Rows:
        """Return the next rows, so many at most."""
        size = size or self.arraysize
        if len(self._rows) < size and self._open is not None:
            self._rows += await self._connection.there(self._more, size)
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchall(self) -> Rows:
        """Return all rows that are left."""
        if self._open is not None:
            self._rows += await self._connection.there(self._more, None)
        rows, self._rows = self._rows, []
        return rows

    async def __aiter__(self) -> AsyncIterator[tuple[Any, ...]]:
        while rows := await self.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                yield row

    async def close(self) -> None:
        """Forget the rows that are left."""
        self._rows = []
        if self._open is not None:
            await self._connection.there(self._end, self._open)

    # In the connection's thread:

    def _run(self, statement: str, values: Sequence[Any]) -> None:
        self._took(self._connection._conn.execute(statement, values))

    def _run_many(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        self._took(self._connection._conn.executemany(statement, values))

    def _took(self, cursor: sqlite3.Cursor) -> None:
        self._open, self.description = cursor, cursor.description
        self._rows = self._more(ROWS_AT_ONCE) if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        if not cursor.description:
            self._end(cursor)

    def _more(self, size: int | None) -> Rows:
        cursor = self._open
        if cursor is None:
            return []
        rows: Rows = cursor.fetchall() if size is None else cursor.fetchmany(size)
        if size is None or len(rows) < size:
            self._end(cursor)
        return rows

    def _end(self, cursor: sqlite3.Cursor) -> None:
        self._open = None
        cursor.close()


class Connection(aiosqlite.Connection):
    """A connection whose cursors are those above."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """Return a cursor; nothing is asked of the thread yet."""
        return Cursor(self)

    async def there(self, what: Callable[..., Any], *values: Any) -> Any:
        """Do something in the connection's thread."""
        return await self._execute(what, *values)  # type: ignore[no-untyped-call]

    async def rollback(self) -> None:
        """Undo the transaction, if one is open: SQLAlchemy asks for it after each commit too."""
        if self.in_transaction:
            await super().rollback()


def connect(path: str, **options: Any) -> Connection:
    """Return a connection to be awaited, for SQLAlchemy's `async_creator_fn`."""
    connection = Connection(
        lambda: sqlite3.connect(path, factory=_Connection, **options), iter_chunk_size=ROWS_AT_ONCE
    )
    connection._thread.daemon = True  # as SQLAlchemy has it: nobody waits for it at the end
    return connection


class _Connection(sqlite3.Connection):
    def close(self) -> None:
        # A task cancelled between INSERT … RETURNING and its rows leaves a statement open, with
        # which SQLite keeps even a closed connection's lock, until the cursor is collected.
        if self.in_transaction:
            self.rollback()
        super().close()


def prepare(connection: Any, _: Any) -> None:
    """Set up a new connection (SQLAlchemy's event `connect`)."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin(connection: Any) -> None:
    """Begin a transaction (SQLAlchemy's event `begin`)."""
    # A transaction that reads and then writes must hold the lock from its start, or it can fail.
    reading = connection.get_execution_options().get("firstbell_reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
