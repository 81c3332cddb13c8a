"""Rows that go to Spark and back as Avro are the same, on every day that a store has."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Row, SparkSession

from avro_data_contracts.streaming import packed

_MIDNIGHTS = ("0001-01-01", "0999-12-31", "1582-10-04", "1582-10-15", "1899-12-31", "1900-01-01", "1970-01-01")
_MOMENTS = [f"{day} {time}" for day in (*_MIDNIGHTS, "9999-12-31") for time in ("00:00:00", "23:59:59.999999")]


def test_rows_of_any_day_come_back_as_they_were(spark: SparkSession) -> None:
    texts = ", ".join(f"('{moment}')" for moment in _MOMENTS)
    frame = spark.sql(
        "SELECT moment, CAST(moment AS DATE) AS day, CAST(moment AS TIMESTAMP) AS at, "
        f"CAST(moment AS TIMESTAMP_NTZ) AS local FROM VALUES {texts} AS t(moment)"
    )
    schema = packed.schema_of(frame)
    found = packed.unpack(spark, packed.pack(frame, len(_MOMENTS), schema), schema)
    assert found is not None
    rows = found.select("one.moment", "one.day")
    assert {row.moment: row.day for row in rows.collect()} == {
        one: dt.date.fromisoformat(one[:10]) for one in _MOMENTS
    }
    # As numbers, because Python has no time zone in the year 1.
    numbers = ("moment", "unix_micros(at) AS at", "unix_micros(CAST(local AS TIMESTAMP)) AS local")
    back: list[Row] = found.select("one.*").selectExpr(*numbers).collect()
    epoch = dt.datetime(1970, 1, 1)
    wanted = {one: (dt.datetime.fromisoformat(one) - epoch) // dt.timedelta(microseconds=1) for one in _MOMENTS}
    assert {row.moment: row.at for row in back} == wanted
    assert {row.moment: row.local for row in back} == wanted
