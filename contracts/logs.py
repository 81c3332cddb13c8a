"""Structured logs on stderr: coloured for a terminal, one key=value line each otherwise."""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Sets structlog up for the process.  Log no personal data: ids, counts, reasons and positions only."""
    terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer(colors=True)
        if terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
