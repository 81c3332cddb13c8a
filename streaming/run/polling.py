"""How often Spark asks Kafka whether a topic that had nothing new has something now.

Each query asks on its own, so with many queries each asks less often: up to a hundred queries ask fifty times a
second in all, and more of them each every two seconds.  While records come, a batch begins as soon as the last one is
written, so this delay plays no part.
"""

from __future__ import annotations

from typing import Final

from pyspark.sql import SparkSession

SETTING: Final = "spark.sql.streaming.pollingDelay"
LEAST_MS, MOST_MS = 200, 2_000
_FOR_EACH_MS = 20


def delay_ms(queries: int) -> int:
    """Return the time between two looks of one query, in a process with so many queries, in ms."""
    return min(MOST_MS, max(LEAST_MS, queries * _FOR_EACH_MS))


def share(spark: SparkSession, queries: int) -> None:
    """Have the queries that start from now on look as rarely as so many queries should."""
    spark.conf.set(SETTING, str(delay_ms(queries)))
