"""Reads a table of Cassandra as a frame of Spark, each value exactly (`java/ReadRows.java`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.streaming.decode.compiled import of_driver

SOURCE: Final = Path(__file__).with_name("java") / "ReadRows.java"
#: A class of the connector that the source needs.
CONNECTOR: Final = "com.datastax.spark.connector.rdd.reader.RowReaderFactory"


def rows(
    spark: SparkSession, settings: Settings, spec: CassandraSpec, types: Mapping[str, str], options: Mapping[str, str]
) -> DataFrame:
    """Return the rows of a table in raw form, to be read by Spark's executors.

    Args:
        types: column -> its type in Spark.
        options: select one of the connector's sessions (`sessions.options`).
    """
    jvm: Any = spark._jvm
    context: Any = spark.sparkContext
    read_rows = of_driver(spark, "ReadRows", driver="connector of Cassandra", jars="the jars of the connector")
    configuration = context._jsc.sc().getConf().clone()
    # The password is in the session's settings only.
    for name, value in {**options, "spark.cassandra.auth.password": settings.cassandra_password}.items():
        configuration.set(name, value)
    found = read_rows.of(context._jsc.sc(), configuration, spec.keyspace, spec.table, list(types))
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    schema = jvm.org.apache.spark.sql.types.StructType.fromDDL(ddl)
    return DataFrame(spark._jsparkSession.createDataFrame(found, schema), spark)
