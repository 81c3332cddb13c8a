"""Tables of other shapes on real servers: a row for each event, keys in parts, time to live, partitions, paths."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession
from structlog.testing import capture_logs

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.cassandra.sink import CassandraSink
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.complaints import complaints
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.type_cases import record

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
ADDRESS = ["null", record("Address", ("city", "string"), ("zip", ["null", "string"]))]
FIELDS = {"id": "string", "customer": "string", "placed_at": MICROS, "total": "long", "address": ADDRESS}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NOON = 1_735_732_800_000  # 2025-01-01 12:00 UTC

Shaped = Callable[..., Pipeline]


@pytest.fixture
def shaped(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Shaped:
    """Return what makes a pipeline whose tables are as the arguments say, beyond their names."""

    def made(fields: dict[str, Any] = FIELDS, **stores: dict[str, Any]) -> Pipeline:
        pipeline = pipeline_of(settings_of_stack, spark, tmp_path, fields, ("id",))
        reshape(pipeline, **stores)
        return pipeline

    return made


def reshape(pipeline: Pipeline, **stores: dict[str, Any]) -> None:
    """Replace what the contract says about its tables."""
    file = pipeline.folder / "contract.yaml"
    spec = yaml.safe_load(file.read_text())
    own = {"cassandra": {"keyspace": "spark_streams"}, "postgres": {}}
    spec["sinks"] = {kind: {**own[kind], "table": pipeline.folder.name, **said} for kind, said in stores.items()}
    file.write_text(yaml.safe_dump(spec, sort_keys=False))


def order(number: int, **changes: Any) -> dict[str, Any]:
    found = {"id": f"o{number}", "customer": f"c{number % 2}", "total": number, "address": None}
    return {**found, "placed_at": NOON * 1000 + number, **changes}


def send(pipeline: Pipeline, *events: tuple[int, dict[str, Any]]) -> None:
    """Send records, each with its Kafka timestamp in ms after noon; all to one partition."""
    schema_id = pipeline.register()
    pipeline.send(
        *(
            {"value": pipeline.encode(schema_id, one), "key": b"k", "timestamp": NOON + millis}
            for millis, one in events
        )
    )


def rows(pipeline: Pipeline, *columns: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return these columns of all rows, sorted, by store; moments as microseconds since 1970."""
    found = {}
    for kind, connect in (("cassandra", cassandra.connect), ("postgres", postgres.connect)):
        spec = getattr(pipeline.contract.spec.sinks, kind)
        if spec is not None:
            with connect(pipeline.settings) as connected:
                listed = ", ".join(f'"{name}"' for name in columns)
                read = [tuple(map(plain, row)) for row in connected.execute(f"SELECT {listed} FROM {spec.quoted}")]
            found[kind] = sorted(read, key=repr)
    return found


def plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - EPOCH) // dt.timedelta(microseconds=1)
    return value


APPENDS = {"cassandra": {"mode": "append"}, "postgres": {"mode": "append"}}
PLACE = ("kafka_topic_id", "kafka_partition", "kafka_offset", "id", "total")


def test_append_has_a_row_for_each_event_however_often_it_is_read(shaped: Shaped) -> None:
    pipeline = shaped(**APPENDS)
    send(pipeline, (2, order(1)), (2, order(1, total=7)), (1, order(1, total=3)), (9, order(2)))
    pipeline.stream()
    topic_id = Topics(pipeline.settings).id_of(pipeline.contract.topic)
    wanted = [
        (topic_id, 0, 0, "o1", 1),
        (topic_id, 0, 1, "o1", 7),
        (topic_id, 0, 2, "o1", 3),
        (topic_id, 0, 3, "o2", 2),
    ]
    assert rows(pipeline, *PLACE) == {"cassandra": wanted, "postgres": wanted}

    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 1})
    pipeline.stream(afresh=True)

    assert rows(pipeline, *PLACE) == {"cassandra": wanted, "postgres": wanted}
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert {kind: one.rows for kind, one in outcome.stores.items()} == {"cassandra": 4, "postgres": 4}

    # A topic that is created again has other events at the same offsets.
    admin = AdminClient(kafka.client(pipeline.settings))
    admin.delete_topics([pipeline.contract.topic])[pipeline.contract.topic].result(30)
    time.sleep(1)
    send(pipeline, (5, order(5)))
    pipeline.stream()
    again = Topics(pipeline.settings).id_of(pipeline.contract.topic)
    assert again != topic_id
    both = sorted([*wanted, (again, 0, 0, "o5", 5)], key=repr)
    assert rows(pipeline, *PLACE) == {"cassandra": both, "postgres": both}
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def test_mode_and_key_of_an_existing_table_are_refused_at_the_start(shaped: Shaped) -> None:
    upserts = {"cassandra": {"primary_key": ["id"]}, "postgres": {"primary_key": ["id"]}}
    pipeline = shaped(**upserts)
    send(pipeline, (0, order(1)))
    pipeline.stream()
    cannot = ", but that of an existing table cannot change"
    mode = "the mode was upsert (a row for each key), and is now append (a row for each event)"
    two = {"partition_key": ["customer", "id"], "clustering": ["placed_at desc"]}
    by = {"column": "placed_at", "every": "day"}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("cassandra", {"mode": "append"}, mode),
        ("postgres", {"mode": "append"}, mode),
        ("cassandra", two, "the primary key was (id), and is now ((customer, id), placed_at)"),
        (
            "postgres",
            {"primary_key": ["id", "placed_at"], "partition_by": by},
            "the partitioning was none, and is now by placed_at",
        ),
    ]
    for kind, said, words in cases:
        reshape(pipeline, **{**upserts, kind: said})
        with pytest.raises(ConfigurationError) as caught:
            job.prepare(pipeline.settings, pipeline.contract)
        assert caught.value.what == words + cannot
        assert "name another table, and read the topic from its beginning" in caught.value.fix
    reshape(pipeline, **upserts)
    job.prepare(pipeline.settings, pipeline.contract)


def test_newest_event_wins_with_a_key_in_parts_and_partitions(shaped: Shaped) -> None:
    """The rows of a partition are in the declared order, and a late event does not overwrite a newer one."""
    pipeline = shaped(
        cassandra={
            "partition_key": ["customer", "id"],
            "clustering": ["placed_at desc"],
            "columns": {"city": "address.city", "zip": "address.zip"},
        },
        postgres={
            "primary_key": ["id", "customer", "placed_at"],
            "columns": {"city": "address.city", "zip": "address.zip"},
            "partition_by": {"column": "placed_at", "every": "month", "ahead": 1},
            "indexes": [{"columns": ["placed_at"], "type": "brin"}, {"columns": ["city", "total"]}],
        },
    )
    moved = {"address": {"city": "Oslo", "zip": None}}
    far = -62_135_596_800_000_000  # year 1
    first = [(5, order(1)), (5, order(1, placed_at=1, **moved)), (5, order(2)), (5, order(3, placed_at=far))]
    send(pipeline, *first)
    with capture_logs() as logs:
        pipeline.stream()
    created = [line for line in logs if line["event"] == "partition created"]
    made = [(line["partition"].removeprefix(pipeline.folder.name), line["why"]) for line in created]
    now = dt.datetime.now(dt.UTC)
    ahead = [(now.year * 12 + now.month - 1 + number) for number in range(2)]
    assert [name for name, why in made if why == "ahead"] == [f"_p{n // 12:04}_{n % 12 + 1:02}" for n in ahead]
    assert [name for name, why in made if why != "ahead"] == ["_p0001_01", "_p1970_01", "_p2025_01"]
    send(pipeline, (9, order(1, total=9)), (3, order(2, total=3)), (9, order(1, placed_at=1, total=8)))
    pipeline.stream()
    at = NOON * 1000
    wanted = [
        ("c0", "o2", at + 2, 2, None, None),
        ("c1", "o1", 1, 8, None, None),
        ("c1", "o1", at + 1, 9, None, None),
        ("c1", "o3", far, 3, None, None),
    ]
    names = ("customer", "id", "placed_at", "total", "city", "zip")
    assert rows(pipeline, *names) == {"cassandra": sorted(wanted, key=repr), "postgres": sorted(wanted, key=repr)}
    send(pipeline, (20, order(1, placed_at=1, total=10, **moved)))
    pipeline.stream()
    (cassandra_row,) = [row for row in rows(pipeline, *names)["cassandra"] if row[2] == 1]
    (postgres_row,) = [row for row in rows(pipeline, *names)["postgres"] if row[2] == 1]
    assert cassandra_row == postgres_row == ("c1", "o1", 1, 10, "Oslo", None)

    pipeline.stream(afresh=True)

    assert complaints(pipeline) == []
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
    spec = pipeline.contract.spec.sinks
    with cassandra.connect(pipeline.settings) as session:
        found = session.execute(f"SELECT placed_at FROM {spec.cassandra.quoted} WHERE customer = 'c1' AND id = 'o1'")
        assert [row.placed_at for row in found] == [at + 1, 1]
    with postgres.connect(pipeline.settings) as connection:
        query = "SELECT tablename, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef NOT LIKE '%%UNIQUE%%'"
        definitions = [text for _, text in connection.execute(query, (spec.postgres.table,))]
        assert sorted(text.partition(" USING ")[2] for text in definitions) == [
            "brin (placed_at)",
            "btree (city, total)",
        ]
        query = f"SELECT DISTINCT tableoid::regclass::text FROM {spec.postgres.quoted}"
        parts = sorted(name for (name,) in connection.execute(query))
        assert parts == [f"{spec.postgres.table}_p{ending}" for ending in ("0001_01", "1970_01", "2025_01")]


def test_row_goes_a_ttl_after_its_event_whenever_it_is_read(shaped: Shaped) -> None:
    pipeline = shaped(cassandra={"primary_key": ["id"], "ttl": "1h"})
    now = round(time.time() * 1000) - NOON
    send(pipeline, (now, order(1)), (now - 3_599_000 + 60_000, order(2)), (now - 3_700_000, order(3)))
    pipeline.stream()
    spec = pipeline.contract.spec.sinks.cassandra

    def left() -> dict[str, int]:
        with cassandra.connect(pipeline.settings) as session:
            return {row.id: row.left for row in session.execute(f"SELECT id, TTL(total) AS left FROM {spec.quoted}")}

    time.sleep(1.5)
    found = left()
    assert set(found) == {"o1", "o2"}
    assert 3_400 < found["o1"] <= 3_600
    assert 0 < found["o2"] <= 61
    pipeline.stream(afresh=True)
    time.sleep(1.5)
    again = left()
    assert all(again[name] <= found[name] for name in again)
    assert "o3" not in again
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert outcome.stores["cassandra"].expired >= 1

    reshape(pipeline, cassandra={"primary_key": ["id"], "ttl": "2d"})
    with capture_logs() as logs:
        job.prepare(pipeline.settings, pipeline.contract)
    statements = [line["statement"] for line in logs if line["event"] == "table altered"]
    assert statements == [f"ALTER TABLE {spec.quoted} WITH default_time_to_live = 172800"]
    with capture_logs() as logs:
        job.prepare(pipeline.settings, pipeline.contract)
    assert [line for line in logs if line["event"] == "table altered"] == []


def test_append_keeps_the_history_of_a_partition_in_order(shaped: Shaped) -> None:
    pipeline = shaped(
        cassandra={"mode": "append", "partition_key": ["customer"], "clustering": ["kafka_timestamp desc"]},
        postgres={"mode": "append", "partition_by": {"column": "kafka_timestamp", "every": "day", "ahead": 0}},
    )
    send(pipeline, (1, order(1)), (3, order(1, total=3)), (2, order(1, total=2)), (86_400_000, order(1, total=4)))
    pipeline.stream()
    pipeline.stream(afresh=True)

    wanted = [(1, 0), (2, 2), (3, 1), (4, 3)]
    assert rows(pipeline, "total", "kafka_offset") == {"cassandra": wanted, "postgres": wanted}
    spec = pipeline.contract.spec.sinks.cassandra
    with cassandra.connect(pipeline.settings) as session:
        found = session.execute(f"SELECT total FROM {spec.quoted} WHERE customer = 'c1'")
        assert [row.total for row in found] == [4, 3, 2, 1]
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
    job.prepare(pipeline.settings, pipeline.contract)


@pytest.mark.parametrize(
    "said",
    [
        {"primary_key": ["id"]},
        {"partition_key": ["customer", "id"], "clustering": ["placed_at desc"]},
        {"mode": "append"},
        {"mode": "append", "partition_key": ["customer"], "clustering": ["kafka_timestamp desc"]},
    ],
    ids=["one-column", "in-parts", "append", "append-in-order"],
)
def test_late_events_read_only_their_own_rows(shaped: Shaped, spark: SparkSession, said: dict[str, Any]) -> None:
    """If Spark's connector finds no direct join, it reads the whole table for each batch."""
    pipeline = shaped(cassandra=said)
    send(pipeline, (1, order(1)), (2, order(2)))
    pipeline.stream()
    (sink,) = job.stores(pipeline.settings, pipeline.contract)
    assert isinstance(sink, CassandraSink)
    stored = sink._stored(spark, sink._table)
    late = sink._that_win(spark.createDataFrame(stored.collect(), stored.schema))
    assert "Cassandra Direct Join" in late._jdf.queryExecution().executedPlan().toString()
    assert late.collect() == []
