"""Starts the stream's JVM.  What the JVM and Py4J print goes to Spark's log.

On the terminal their stack traces would hide the one line that says what is wrong.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import traceback
from collections.abc import Mapping
from pathlib import Path

import py4j
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

_PY4J = Path(py4j.__file__).parent


def launch(configuration: Mapping[str, str], log_file: Path) -> None:
    """Start the JVM for the next session, unless one runs already.

    Raises PySparkRuntimeError: it ended before it answered; the log says why.
    """
    _hand_over(log_file)
    if SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:
        return
    conf = SparkConf(loadDefaults=False).setAll(list(configuration.items()))
    with log_file.open("ab") as log:
        gateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
    SparkContext._ensure_initialized(gateway=gateway)


def _hand_over(log_file: Path) -> None:
    """Send Py4J's log to the file: it logs each call to a dead JVM and each failed batch, some of them as `root`."""
    logger = logging.getLogger("py4j")
    logger.propagate = False
    for handler in [one for one in logger.handlers if isinstance(one, _Frames)]:
        logger.removeHandler(handler)
        handler.close()
    for filtered in [one for one in logging.root.filters if isinstance(one, _NotOfPy4J)]:
        logging.root.removeFilter(filtered)
    frames = _Frames(log_file, delay=True)
    frames.setLevel(logging.WARNING)
    logger.addHandler(frames)
    logging.root.addFilter(_NotOfPy4J(frames))


class _NotOfPy4J(logging.Filter):
    """Passes what Py4J logs without a logger name of its own to `frames`."""

    def __init__(self, frames: logging.Handler) -> None:
        super().__init__()
        self._frames = frames

    def filter(self, record: logging.LogRecord) -> bool:
        if not Path(record.pathname).is_relative_to(_PY4J):
            return True
        if record.levelno >= self._frames.level:
            self._frames.handle(record)
        return False


class _Frames(logging.FileHandler):
    """Writes of an exception only its class and its stack: its message may quote a record."""

    def format(self, record: logging.LogRecord) -> str:
        when = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        lines = [f"{when} {record.levelname} {record.name}: {record.getMessage()}"]
        if record.exc_info and record.exc_info[0] is not None:
            lines += [record.exc_info[0].__name__, "".join(traceback.format_tb(record.exc_info[2])).rstrip()]
        return "\n".join(lines)
