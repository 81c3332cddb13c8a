"""Spark's fair pools: each query has one, so the long batch of one does not hold up the others."""

from __future__ import annotations

from pyspark.sql import SparkSession


def enter(spark: SparkSession, contract: str, sink: str) -> None:
    """Have the jobs that this thread starts run in the pool of a contract's query."""
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", f"{contract}.{sink}")
