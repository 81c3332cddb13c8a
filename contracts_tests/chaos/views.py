"""The views of a run: those of users_created, and one whose windows close during the run; and their verdict.

The verdict decodes with fastavro, computes each view's SQL as one batch, and reads the stores with their drivers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.masks.spec import Kind
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP, EVENTS
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pipeline import Pipeline, comparable

#: Windows of ten seconds.  Events wait in the producer while Kafka is away, which the lateness covers.
BY_TEN_SECONDS: Final = """\
-- time: kafka_timestamp
-- lateness: 5 minutes
-- sinks:
--   cassandra: {keyspace: spark_streams, table: users_by_ten, partition_key: [gender], clustering: [began desc]}
--   postgres: {table: users_by_ten, primary_key: [began, gender]}
SELECT window(kafka_timestamp, '10 seconds').start AS began,
       gender,
       count(*) AS events,
       count(post_code) AS codes,
       sum(length(address)) AS letters,
       avg(length(email)) AS mean,
       max(email) AS email,
       bool_or(phone IS NULL) AS lacks_phone,
       window.end AS ended
FROM users_created
WHERE gender <> 'UNKNOWN'
GROUP BY window(kafka_timestamp, '10 seconds'), gender
"""
_TYPES: Final = {"dob": T.DateType(), "registered_date": T.TimestampType()}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_POSITION: Final = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass
class ViewVerdict:
    """What the tables of views hold.

    Attributes:
        rows: name of the view and store -> number of rows that the SQL makes, and the table has.
        problems: one sentence for each table that differs.
    """

    rows: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def add(pipeline: Pipeline) -> None:
    """Add the views to the contract's folder, with tables of their own."""
    name = pipeline.folder.name
    texts = {file.name: file.read_text() for file in (CLONE / "schemas" / "users_created" / "views").iterdir()}
    texts["users_by_ten.sql"] = BY_TEN_SECONDS
    (pipeline.folder / "views").mkdir()
    for file, text in texts.items():
        own = text.replace("FROM users_created", f"FROM {name}").replace("table: ", f"table: {name}_")
        (pipeline.folder / "views" / file).write_text(own)


def judge(spark: SparkSession, pipeline: Pipeline, events: Iterable[Row]) -> ViewVerdict:
    """Compare the table of each view with what its SQL makes of the good events.

    Args:
        events: the records, each with `kafka_timestamp`, `kafka_partition` and `kafka_offset`.
    """
    verdict = ViewVerdict()
    ansi = spark.newSession()
    ansi.conf.set("spark.sql.ansi.enabled", "true")
    contract = pipeline.contract
    names = [one.name for one in contract.value.record.fields]
    kinds: list[T.DataType] = [_TYPES.get(name, T.StringType()) for name in names]
    kinds += [T.TimestampType(), T.IntegerType(), T.LongType()]
    columns = [*names, *_POSITION]
    schema = T.StructType([T.StructField(*pair) for pair in zip(columns, kinds, strict=True)])
    rows = [tuple(event[name] for name in columns) for event in events]
    ansi.createDataFrame(rows, schema).createOrReplaceTempView(pipeline.folder.name)
    for view in contract.views:
        for sink in view.sinks:
            names_of_key = list(sink.key)
            wanted = {key: _masked(view, row) for key, row in _batch(ansi, view, names_of_key).items()}
            stored = _stored(pipeline, sink, names_of_key)
            of_table = f"{view.name} in {sink.kind}"
            verdict.rows[of_table] = len(stored)
            for what, some in _differences(wanted, stored).items():
                if some:
                    verdict.problems.append(f"{len(some)} {what} of {of_table}: {', '.join(map(str, some[:5]))}")
    return verdict


def _masked(view: View, row: Row) -> Row:
    """Return a row with the masks of the view's header."""
    masked = dict(row)
    for rule in view.spec.masks:
        name, how = rule.field or "", rule.mask
        if masked[name] is not None:
            masked[name] = {
                Kind.year: lambda value: int(str(value)[:4]),
                Kind.truncate: lambda value, length=how.length: value[:length],
            }[how.kind](masked[name])
    return masked


def _differences(wanted: Mapping[Key, Row], stored: Mapping[Key, Row]) -> dict[str, list[Any]]:
    return {
        "rows are missing": sorted(wanted.keys() - stored.keys()),
        "rows nobody sent": sorted(stored.keys() - wanted.keys()),
        "rows differ from the SQL": [
            (key, names)
            for key in sorted(wanted.keys() & stored.keys())
            if (names := sorted(name for name in wanted[key] if wanted[key][name] != stored[key].get(name)))
        ],
    }


def _batch(spark: SparkSession, view: View, key: list[str]) -> dict[Key, Row]:
    """Return what the SQL makes of all events, for each key the row of the newest event, or of all of them."""
    of_groups = "GROUP BY" in view.sql
    made = f"max({EVENT_TIMESTAMP}) AS {EVENT_TIMESTAMP}, count(*) AS {EVENTS}" if of_groups else ", ".join(_POSITION)
    found: dict[Key, Row] = {}
    order = (EVENT_TIMESTAMP, *([] if of_groups else [EVENT_OFFSET]))
    made_rows = spark.sql(view.sql.replace("SELECT ", f"SELECT {made}, ", 1))
    # PySpark has no timestamp on the first day of the year 1.
    moments = {name for name, kind in made_rows.dtypes if kind == "timestamp"}
    numbers = [F.unix_micros(name).alias(name) if name in moments else F.col(name) for name in made_rows.columns]
    for one in made_rows.select(*numbers).collect():
        row = {name: _moment(value) if name in moments else value for name, value in one.asDict().items()}
        at = tuple(comparable(row)[name] for name in key)
        if at not in found or [found[at][name] for name in order] < [row[name] for name in order]:
            found[at] = row
    return {at: comparable(row) for at, row in found.items()}


def _stored(pipeline: Pipeline, sink: SinkSpec, key: list[str]) -> dict[Key, Row]:
    query = f"SELECT * FROM {sink.quoted}"
    if sink.kind == "cassandra":
        with cassandra.connect(pipeline.settings) as session:
            rows = [comparable(row._asdict()) for row in session.execute(query)]
    else:
        with postgres.connect(pipeline.settings) as connection:
            cursor = connection.execute(query)
            names = [column.name for column in cursor.description or ()]
            rows = [comparable(dict(zip(names, row, strict=True))) for row in cursor]
    found = {tuple(row[name] for name in key): row for row in rows}
    assert len(found) == len(rows)
    return found


def _moment(micros: int | None) -> dt.datetime | None:
    return None if micros is None else _EPOCH + dt.timedelta(microseconds=micros)
