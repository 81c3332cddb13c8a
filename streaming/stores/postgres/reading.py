"""Reads a table of PostgreSQL as a frame of Spark, each value exactly: all rows are of one moment.

The server makes numbers and texts of days, moments and decimals, because Java's objects use another calendar before
1582.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from psycopg import sql
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.streaming.sinks.readback import RAW
from avro_data_contracts.streaming.stores.postgres.connection import jdbc
from avro_data_contracts.streaming.stores.postgres.copying import DRIVER

#: Rows that are on their way at once; without it, the driver would hold the whole table.
_AT_ONCE: Final = 5_000
_WHOLE: Final = "{0}"
# Exact in every version: before 14, `extract` returns a binary number.
_MICROS: Final = (
    "(extract(epoch FROM date_trunc('second', {0}))::bigint * 1000000 "
    "+ extract(microseconds FROM {0})::bigint % 1000000)"
)
_OF_DAY: Final = (
    "(extract(microseconds FROM {0})::bigint + extract(minute FROM {0})::bigint * 60000000 "
    "+ extract(hour FROM {0})::bigint * 3600000000)"
)
#: Avro's type -> the raw form of a column.
_FORMS: Final = {
    "uuid": "{0}::text",
    "decimal": "{0}::text",
    "date": "({0} - DATE '1970-01-01')",
    **{f"time-{unit}": _OF_DAY for unit in ("millis", "micros")},
    **{f"{local}timestamp-{unit}": _MICROS for local in ("", "local-") for unit in ("millis", "micros")},
}


def rows(spark: SparkSession, settings: Settings, spec: PostgresSpec, types: Mapping[str, str]) -> DataFrame:
    """Return the rows of a table in raw form, to be read by one of Spark's tasks, in one statement.

    Args:
        types: column -> its type in Avro's words.
    """
    url, properties = jdbc(settings.postgres_dsn)
    columns = [
        sql.SQL(_FORMS.get(kind, _WHOLE) + " AS {0}").format(sql.Identifier(name)) for name, kind in types.items()
    ]
    statement = sql.SQL("(SELECT {} FROM {}) AS stored").format(
        sql.SQL(", ").join(columns), sql.Identifier(spec.schema_name, spec.table)
    )
    options = {
        **properties,
        "driver": DRIVER,
        "fetchsize": str(_AT_ONCE),
        # The server compares texts in an order of its own.
        "pushDownPredicate": "false",
        "socketTimeout": str(math.ceil(settings.stream_write_timeout_s)),
    }
    found = spark.read.jdbc(url, statement.as_string(), properties=options)
    return found.selectExpr(*(f"CAST(`{name}` AS {RAW[kind]}) AS `{name}`" for name, kind in types.items()))
