"""Structured logs on stderr: coloured lines in a terminal, key=value lines elsewhere, or JSON objects."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from structlog.typing import Processor

Format = Literal["auto", "logfmt", "json"]
_FIRST = ["timestamp", "level", "event"]


def configure(form: Format = "auto") -> None:
    """Set up structlog for the process.  Never log personal data: only ids, counts, reasons and positions."""
    import structlog  # a tenth of a second, and most commands log nothing

    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _renderer(form),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # A later call also changes loggers in use: a progress bar replaces stderr while it runs.
        cache_logger_on_first_use=False,
    )
    if not any(isinstance(handler, _Libraries) for handler in logging.root.handlers):
        logging.root.addHandler(_Libraries(logging.WARNING))


class _Libraries(logging.Handler):
    """Log what libraries log, as one line like ours: of an exception, its type and message, never its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog

        error = record.exc_info[1] if record.exc_info else None
        why = {"why": f"{type(error).__name__}: {error}"} if error else {}
        try:
            event = " ".join(record.getMessage().split())
            structlog.get_logger().log(record.levelno, event, logger=record.name, **why)
        except (LookupError, OSError, TypeError, ValueError):  # a line that has no format, or a closed stderr
            self.handleError(record)


def _renderer(form: Format) -> Processor:
    import structlog

    if form == "json":
        return structlog.processors.JSONRenderer()
    if form == "auto" and sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(colors=True)
    return structlog.processors.LogfmtRenderer(key_order=_FIRST)
