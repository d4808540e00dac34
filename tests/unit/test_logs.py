"""What libraries log says where and of which kind an error was, and repeats no value."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from libs.common.logs import configure

ADA = "B801200005001"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with redirect_stderr(io.StringIO()) as written:
        configure("DEBUG")
        yield written
    root.handlers[:], root.level = before


def test_a_librarys_error_is_told_without_its_words(written: io.StringIO) -> None:
    try:
        {}[ADA]
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")

    assert "Exception in ASGI application" in written.getvalue()
    assert "KeyError" in written.getvalue()
    assert __file__ in written.getvalue()
    assert ADA not in written.getvalue()


def test_what_asyncio_says_of_a_task_is_told_without_its_outcome(written: io.StringIO) -> None:
    told = "Task exception was never retrieved\nfuture: <Task exception=%r>"

    logging.getLogger("asyncio").error(told, KeyError(ADA))

    assert written.getvalue() == "ERROR asyncio: Task exception was never retrieved\n"


LIBRARIES = (
    "aiohttp.access", "aiohttp.client", "aiokafka", "aiosqlite", "alembic", "asyncio", "asyncpg",
    "httpcore.connection", "httpx", "multipart", "numba", "opentelemetry.exporter",
    "sqlalchemy.engine.Engine", "sqlalchemy.orm", "sqlalchemy.pool", "urllib3.connectionpool",
    "uvicorn.access", "uvicorn.asgi", "uvicorn.error",
)  # fmt: skip


def test_at_debug_libraries_write_warnings_alone(written: io.StringIO) -> None:
    # Their statements, parameters, requests and records would tell of pupils.
    for name in {*LIBRARIES, *logging.getLogger().manager.loggerDict}:
        logging.getLogger(name).debug("parameters %s", ADA)
        logging.getLogger(name).info("parameters %s", ADA)

    assert written.getvalue() == ""
