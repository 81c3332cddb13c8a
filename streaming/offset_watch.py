"""Spark's Kafka source, but all queries that wait for records share a watch: `java/WatchedKafka.java`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("java") / "WatchedKafka.java"
#: A class of Spark's source, which ours extends.
BASE: Final = "org.apache.spark.sql.kafka010.KafkaSourceProvider"
#: What `DataStreamReader.format` calls it.
FORMAT: Final = "datacontracts.WatchedKafka"
