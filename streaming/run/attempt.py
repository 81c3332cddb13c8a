"""A limit for one attempt at a batch: it is abandoned when the limit is over, and its Spark jobs are cancelled.

A driver that hangs holds up its thread alone.  An attempt that is only slow would go on beside the next one and make
that slower still, so that no attempt would ever end.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from avro_data_contracts.streaming.run import pools

_T = TypeVar("_T")


class TookTooLongError(Exception):
    """The limit of an attempt is over."""


def within(limit_s: float, spark: SparkSession, contract: str, sink: str, write: Callable[[], _T]) -> _T:
    """Call `write` in a thread of its own, whose Spark jobs run in the pool of the query, and return its result.

    Raises:
        TookTooLongError: it took longer.  The thread may wake up later.
        BaseException: what `write` raises.
    """
    attempt: Future[_T] = Future()
    tag = f"attempt-{uuid.uuid4().hex}"

    def work() -> None:
        try:
            pools.enter(spark, contract, sink)
            spark.sparkContext.addJobTag(tag)
            attempt.set_result(write())
        except BaseException as error:  # for the thread that waits
            attempt.set_exception(error)

    threading.Thread(target=work, name=f"write-{sink}", daemon=True).start()
    try:
        return attempt.result(limit_s)
    except TimeoutError:
        if attempt.done():  # `write` itself has raised it
            raise
        threading.Thread(target=_cancel, args=(spark, tag, attempt), name=f"cancel-{sink}", daemon=True).start()
        raise TookTooLongError from None


def _cancel(spark: SparkSession, tag: str, attempt: Future[Any]) -> None:
    """Cancel the jobs of an abandoned attempt until it ends: one that hung in a driver may start another."""
    pause_s = 0.5
    while not attempt.done():
        try:
            spark.sparkContext.cancelJobsWithTag(tag)
        except (Py4JError, AttributeError, OSError):  # Spark has ended, and its jobs with it
            return
        wait([attempt], pause_s)
        pause_s = min(2 * pause_s, 30.0)
