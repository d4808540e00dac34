"""Structured logs: JSON lines with ids and counts, never with a pupil's data."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import format_trace_id
from structlog.typing import EventDict


class _WithoutValues(logging.Formatter):
    """Libraries' log lines, of which an error's own words are left out: they may tell of a pupil.

    What is left is where it happened, and which kind of error it was.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the first line of the message: asyncio's further ones show values."""
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return super().format(record)

    def formatException(  # noqa: N802 (logging's own name)
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the traceback's lines and the kind of error."""
        kind, _, where = ei
        return "".join(traceback.format_tb(where)) + (kind.__name__ if kind else "")


def _with_trace(_: Any, __: str, told: EventDict) -> EventDict:
    here = trace.get_current_span().get_span_context()
    return {**told, "trace": format_trace_id(here.trace_id)} if here.is_valid else told


def configure(level: str) -> None:
    """Set up logging for a process; `level` is the least severe that is written, e.g. "INFO".

    Of libraries only warnings and errors are written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutValues("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
    )
