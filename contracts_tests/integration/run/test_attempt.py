"""Attempts that take too long: what they left in Spark does not compete with the next attempt."""

from __future__ import annotations

import threading
import time

import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.streaming.run.attempt import TookTooLongError, within


def test_attempt_that_is_too_slow_leaves_no_job_behind(spark: SparkSession) -> None:
    tracker = spark.sparkContext.statusTracker()
    before, ended = set(tracker.getActiveJobsIds()), threading.Event()

    def slow() -> None:
        try:
            spark.range(0, 10**13, 1, 4).selectExpr("sum(id * id)").collect()
        finally:
            ended.set()

    with pytest.raises(TookTooLongError):
        within(2, spark, "orders", "postgres", slow)
    assert ended.wait(30)
    assert set(tracker.getActiveJobsIds()) <= before
    # Only its own jobs were cancelled.
    assert within(60, spark, "orders", "postgres", lambda: spark.range(10).count()) == 10


def test_error_of_an_attempt_is_raised_as_it_is(spark: SparkSession) -> None:
    def fails() -> None:
        raise TimeoutError("of its own")

    begun = time.monotonic()
    with pytest.raises(TimeoutError, match="of its own"):
        within(60, spark, "orders", "postgres", fails)
    assert time.monotonic() - begun < 30
