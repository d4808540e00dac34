"""One service's database: the only place that opens transactions and commits them."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import BindParameter, DateTime, Dialect, MetaData, Row, bindparam, event, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from libs.common import sqlite, tenants
from libs.common.tls import postgres_tls

T = TypeVar("T")
AT_ONCE = 500
"""Values named in one statement, where there may be any number of them."""
CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Common(DeclarativeBase):
    """Tables that every service has in its own database: outbox, offsets, dead letters."""

    metadata = MetaData(naming_convention=CONVENTION)


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC by either database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Send UTC, and refuse an instant without a zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back UTC: SQLite forgets the zone."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """A pool of connections to one service's tables.

    Args:
        url: SQLAlchemy URL; `{service}` in it becomes the service's name.
        service: also the PostgreSQL schema that holds the service's tables.
    """

    def __init__(self, url: str, service: str) -> None:
        self.url = url.replace("{service}", service)
        self.is_sqlite = self.url.startswith("sqlite")
        self.engine: AsyncEngine = _engine(self.url, service)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that may write; it commits at the end, or rolls back on an error.

        In PostgreSQL it sees the rows of whoever `libs.common.tenants` says.
        """
        async with self.engine.begin() as db:
            if not self.is_sqlite:
                await tenants.enter(db)
            yield db

    @asynccontextmanager
    async def reading(self, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads: SQLite does not make it wait for writers.

        With `snapshot` all of its queries see the database as it stood at the first one.
        """
        async with self.engine.connect() as db:
            await db.execution_options(firstbell_reading=True)
            if not self.is_sqlite:
                if snapshot:
                    await db.execution_options(isolation_level="REPEATABLE READ")
                await tenants.enter(db)
            yield db

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def is_away(error: Exception) -> bool:
    """Whether the database is at fault (away, busy, not migrated), and not what it was given."""
    if isinstance(error, DataError | IntegrityError):
        return False
    if isinstance(error, DBAPIError):
        # asyncpg's bad data comes as a plain DBAPIError: SQLSTATE classes 22 and 23 tell it.
        return _sqlstate(error)[:2] not in {"22", "23"}
    return isinstance(error, PoolExhausted | OSError)


def is_deadlock(error: Exception) -> bool:
    """Whether PostgreSQL ended a transaction that waited for another, which waited for it."""
    return _sqlstate(error) == "40P01"


def found_in_use(error: Exception) -> bool:
    """Whether PostgreSQL gave up a statement that waited too long for somebody's lock."""
    return _sqlstate(error) == "55P03"


def _sqlstate(error: Exception) -> str:
    """Return PostgreSQL's code of an error; none if it is not PostgreSQL's."""
    return (isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None)) or ""


def _engine(url: str, service: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        address, tls = postgres_tls(url)
        # To compile a query takes PostgreSQL longer than ours take to run.
        session = {"search_path": service, "jit": "off"}
        return create_async_engine(
            address,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=10,
            connect_args={"server_settings": session, "timeout": 5, **tls},
        )
    engine = create_async_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": 30, "isolation_level": None, "async_creator_fn": sqlite.connect},
    )
    event.listen(engine.sync_engine, "connect", sqlite.prepare)
    event.listen(engine.sync_engine, "begin", sqlite.begin)
    return engine


def among(name: str) -> BindParameter[Any]:
    """Return the parameter of a statement that is made once: a list of values, of any length."""
    return bindparam(name, expanding=True)


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in order, `AT_ONCE` at most at a time: a part for each statement."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


async def upsert(
    db: AsyncConnection, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, or replace the other columns of those whose primary key is there."""
    if not rows:
        return
    statement = _upsert(db.dialect.name, table, tuple(rows[0]))
    await db.execute(statement, [dict(row) for row in rows])


async def add_missing(
    db: AsyncConnection, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows; those whose primary key is there stay as they are."""
    if rows:
        statement = _insert(db.dialect.name, table).on_conflict_do_nothing()
        await db.execute(statement, [dict(row) for row in rows])


async def add_new(
    db: AsyncConnection, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Insert rows as `add_missing` does, and return the keys of those that were not there."""
    if not rows:
        return []
    keys = inspect(table).primary_key
    statement = _insert(db.dialect.name, table).values([dict(row) for row in rows])
    return list(await db.execute(statement.on_conflict_do_nothing().returning(*keys)))


@cache
def _upsert(
    dialect: str, table: type[DeclarativeBase], names: tuple[str, ...]
) -> sqlite_dialect.Insert | postgresql.Insert:
    # Made once: naming what was excluded copies the table, which costs more than the statement.
    keys = [column.name for column in inspect(table).primary_key]
    statement = _insert(dialect, table)
    others = {name: statement.excluded[name] for name in names if name not in keys}
    if not others:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def _insert(
    dialect: str, table: type[DeclarativeBase]
) -> sqlite_dialect.Insert | postgresql.Insert:
    return sqlite_dialect.insert(table) if dialect == "sqlite" else postgresql.insert(table)
