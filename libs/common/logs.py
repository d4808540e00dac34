"""Structured logs: JSON lines with ids and counts, never with a pupil's data."""

import logging

import structlog


def configure(level: str) -> None:
    """Set up logging for a process; `level` is the least severe that is written, e.g. "INFO"."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
