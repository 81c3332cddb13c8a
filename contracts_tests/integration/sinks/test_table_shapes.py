"""Tables of other shapes on real servers: a row for each event, keys in parts, time to live, partitions, paths."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from cassandra import InvalidRequest
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession
from structlog.testing import capture_logs

from avro_data_contracts.contracts.errors import ConfigurationError, Refused
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.cassandra import expiry, row_by_row
from avro_data_contracts.streaming.stores.cassandra.sink import CassandraSink
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.stores.postgres import partitions
from avro_data_contracts.streaming.stores.postgres.sink import PostgresSink
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
    # Records of 2025: retention by age would delete them.
    spec["kafka"] = {"config": {"retention.ms": "-1"}}
    file.write_text(yaml.safe_dump(spec, sort_keys=False))


def with_any_time(pipeline: Pipeline) -> None:
    """Let the topic take events of any time."""
    file = pipeline.folder / "contract.yaml"
    spec = yaml.safe_load(file.read_text())
    spec["kafka"]["config"]["message.timestamp.after.max.ms"] = str(2**62)
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


def rows(pipeline: Pipeline, *columns: str, only: str = "") -> dict[str, list[tuple[Any, ...]]]:
    """Return these columns of all rows, sorted, by store; moments as microseconds since 1970."""
    found = {}
    for kind, connect in (("cassandra", cassandra.connect), ("postgres", postgres.connect)):
        spec = getattr(pipeline.contract.spec.sinks, kind)
        if spec is not None and only in ("", kind):
            with connect(pipeline.settings) as connected:
                listed = ", ".join(f'"{name}"' for name in columns)
                read = [tuple(map(plain, row)) for row in connected.execute(f"SELECT {listed} FROM {spec.quoted}")]
            found[kind] = sorted(read, key=repr)
    return found


def rows_of_postgres(pipeline: Pipeline, *columns: str) -> list[tuple[Any, ...]]:
    with postgres.connect(pipeline.settings) as connected:
        listed = ", ".join(columns)
        query = f"SELECT {listed} FROM {pipeline.contract.spec.sinks.postgres.quoted}"
        return [tuple(map(plain, row)) for row in connected.execute(query)]


def plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - EPOCH) // dt.timedelta(microseconds=1)
    return value


ID = {"primary_key": ["id"]}
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

    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 2})
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
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
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
    at = NOON * 1000
    send(
        pipeline,
        *((9, order(1, total=9)), (3, order(2, total=3)), (9, order(1, placed_at=1, total=8))),
        (9, order(3, placed_at=far, total=10, **moved)),
    )
    pipeline.stream()
    wanted = [
        ("c0", "o2", at + 2, 2, None, None),
        ("c1", "o1", 1, 8, None, None),
        ("c1", "o1", at + 1, 9, None, None),
        ("c1", "o3", far, 10, "Oslo", None),
    ]
    names = ("customer", "id", "placed_at", "total", "city", "zip")
    assert rows(pipeline, *names) == {"cassandra": sorted(wanted, key=repr), "postgres": sorted(wanted, key=repr)}

    pipeline.stream(afresh=True)

    assert rows(pipeline, *names) == {"cassandra": sorted(wanted, key=repr), "postgres": sorted(wanted, key=repr)}
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


def test_ttl_that_no_row_could_have_stops_the_stream_and_the_longest_one_is_taken(shaped: Shaped) -> None:
    """The limit is that of the real server: a row that stays until the last second is accepted, and no longer one."""
    pipeline = shaped(cassandra={"primary_key": ["id"], "ttl": "1000w"})
    pipeline.register()
    with pytest.raises(Refused, match="this cluster refuses rows that stay beyond 2038-01-19: write a ttl of at mo"):
        job.prepare(pipeline.settings, pipeline.contract)
    reshape(pipeline, cassandra={"primary_key": ["id"], "ttl": "2d"})
    job.prepare(pipeline.settings, pipeline.contract)
    spec = pipeline.contract.spec.sinks.cassandra
    with cassandra.connect(pipeline.settings) as session:
        last = expiry.last(session)
        position = "kafka_timestamp, kafka_partition, kafka_offset) VALUES ('x', 0, 0, 0)"
        insert = f"INSERT INTO {spec.quoted} (id, {position} USING TTL "
        session.execute(insert + str(last - int(time.time()) - 60))
        with pytest.raises(InvalidRequest, match="exceeds maximum supported expiration date"):
            session.execute(insert + str(last - int(time.time()) + 60))
    with_any_time(pipeline)
    send(pipeline, (0, order(1)), (last * 1000 - NOON, order(2)))
    pipeline.stream()
    (words,) = complaints(pipeline)
    assert "exceeds maximum supported expiration date" in words


def test_reconcile_finds_rows_of_moments_that_python_has_not(shaped: Shaped) -> None:
    """In the event's own time, and in a time of the value; both in the key."""
    fields = {"id": "string", "moment": {"type": "long", "logicalType": "timestamp-millis"}}
    pipeline = shaped(
        fields,
        cassandra={
            "mode": "append",
            "partition_key": ["id"],
            "clustering": ["kafka_timestamp desc", "moment"],
        },
        postgres={"mode": "append", "partition_by": {"column": "kafka_timestamp", "every": "year", "ahead": 0}},
    )
    with_any_time(pipeline)
    schema_id = pipeline.register()
    for stamp in (1, 400_000_000_000_000):
        value = pipeline.encode(schema_id, {"id": "a", "moment": NOON})
        pipeline.send({"value": value, "timestamp": stamp})
    pipeline.stream()
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert {kind: one.rows for kind, one in outcome.stores.items()} == {"cassandra": 2, "postgres": 2}


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
    assert stored.count() == 2
    assert "Cassandra Direct Join" in late._jdf.queryExecution().executedPlan().toString()
    assert late.collect() == []


def test_random_events_leave_what_an_oracle_says(shaped: Shaped) -> None:
    """The newest event of each key, or every event: whatever the order, the batches, and how often they are read."""
    random = Random(26)
    upsert = {"partition_key": ["customer", "id"], "clustering": ["placed_at desc"]}
    pipeline = shaped(
        cassandra=upsert,
        postgres={
            "mode": "append",
            "partition_by": {"column": "placed_at", "every": "year", "ahead": 0},
            "columns": {"city": "address.city"},
        },
    )
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    everything = []
    events: list[tuple[int, dict[str, Any]]] = []
    for at in range(120):
        city = random.choice([None, "Oslo"])
        one = order(
            random.randrange(4),
            placed_at=(NOON + random.randrange(3) * 40_000_000_000) * 1000 + random.randrange(2),
            total=random.randrange(1000),
            address=city and {"city": city, "zip": None},
        )
        events.append((random.randrange(6), one))
        key, position = (one["customer"], one["id"], one["placed_at"]), (events[-1][0], at)
        newest[key] = max(newest.get(key, ((-1, -1), 0)), (position, one["total"]))
        everything.append((at, one["placed_at"], one["total"], city))
    send(pipeline, *events)
    # By Spark's connectors; below, most batches go the way of small ones.
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 40, "stream_small_batch": 0})
    pipeline.stream()
    wanted = sorted((*key, total) for key, (_, total) in newest.items())
    assert len(wanted) > 10

    def stored() -> tuple[list[Any], list[Any]]:
        in_cassandra = rows(pipeline, "customer", "id", "placed_at", "total", only="cassandra")["cassandra"]
        found = rows_of_postgres(pipeline, "kafka_offset", "placed_at", "total", "city")
        return sorted(in_cassandra), sorted(found)

    assert stored() == (wanted, everything)
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 31, "stream_small_batch": 1000})
    pipeline.stream(afresh=True)
    assert stored() == (wanted, everything)
    assert complaints(pipeline) == []
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    counts = {kind: (one.keys, one.rows) for kind, one in outcome.stores.items()}
    assert counts == {"cassandra": (len(wanted), len(wanted)), "postgres": (120, 120)}


def test_tombstone_deletes_by_a_key_in_parts_and_from_its_partition(shaped: Shaped) -> None:
    day = {"type": "int", "logicalType": "date"}
    fields = {"id": "string", "customer": "string", "day": day, "total": "long"}
    pipeline = shaped(
        fields,
        cassandra={"partition_key": ["customer", "day"], "clustering": ["id desc"]},
        postgres={
            "primary_key": ["day", "customer", "id"],
            "partition_by": {"column": "day", "every": "month", "ahead": 0},
        },
    )
    file = pipeline.folder / "contract.yaml"
    spec = {**yaml.safe_load(file.read_text()), "key": "key.avsc", "tombstones": "delete"}
    file.write_text(yaml.safe_dump(spec, sort_keys=False))
    key_schema = record("OrderKey", ("id", "string"), ("customer", "string"), ("day", day))
    (pipeline.folder / "key.avsc").write_text(json.dumps(key_schema))
    schema_id = pipeline.register()
    found = pipeline.registry.version(pipeline.contract.key.name)
    assert found is not None

    def event(millis: int, key: dict[str, Any], total: int | None) -> dict[str, Any]:
        value = None if total is None else pipeline.encode(schema_id, {**key, "total": total})
        return {"key": pipeline.encode(found.schema_id, key), "value": value, "timestamp": NOON + millis}

    keys = [{"id": id_, "customer": one, "day": 20_000 + at} for id_ in "ab" for one in "cd" for at in (0, 40)]
    pipeline.send(*(event(1, key, number) for number, key in enumerate(keys)))
    pipeline.send(event(2, keys[0], None), event(0, keys[1], None))
    pipeline.stream()
    pipeline.send(event(3, keys[2], None), event(1, keys[0], 99), event(4, keys[3], 33))
    pipeline.stream()

    left = {number: number for number in range(8)} | {3: 33}
    del left[0], left[2]
    wanted = sorted([(total,) for total in left.values()], key=repr)
    assert rows(pipeline, "total") == {"cassandra": wanted, "postgres": wanted}
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert {kind: one.deleted for kind, one in outcome.stores.items()} == {"cassandra": 2, "postgres": 2}


def test_partitions_fill_the_gaps_between_those_of_others(shaped: Shaped) -> None:
    """And somebody who reads the table does not hold them up."""
    by = {"column": "placed_at", "every": "day", "ahead": 0}
    pipeline = shaped(postgres={"mode": "append", "partition_by": by})
    send(pipeline, (0, order(0)))
    pipeline.stream()
    spec = pipeline.contract.spec.sinks.postgres
    with postgres.connect(pipeline.settings) as connection:
        for name, from_, to in (("own", "2025-01-05 06:30+00", "2025-01-09"), ("old", "MINVALUE", "1000-01-01")):
            bound = from_ if from_ == "MINVALUE" else f"'{from_}'"
            made = (
                f"CREATE TABLE {spec.table}_{name} PARTITION OF {spec.quoted} FOR VALUES FROM ({bound}) TO ('{to}')"
            )
            connection.execute(made)
    reshape(pipeline, postgres={"mode": "append", "partition_by": {**by, "every": "month"}})
    days = [0, 3, 4, 6, 20, -100_000, -600_000]
    send(pipeline, *((0, order(1 + at, placed_at=(NOON + day * 86_400_000) * 1000)) for at, day in enumerate(days)))
    with postgres.connect(pipeline.settings) as reader:
        query = f"SELECT total FROM {spec.quoted} ORDER BY total"
        assert reader.execute(query).fetchall() == [(0,)]  # its transaction, and so its lock, is open
        pipeline.stream()
        assert reader.execute(query).fetchall() == [(number,) for number in range(8)]
    with postgres.connect(pipeline.settings) as connection:
        query = f"SELECT tableoid::regclass::text, array_agg(total ORDER BY total) FROM {spec.quoted} GROUP BY 1"
        found = {name.removeprefix(spec.table): totals for name, totals in connection.execute(query)}
    assert found == {
        "_p2025_01_01": [0, 1],
        "_p202501020000": [2],
        "_own": [3, 4],
        "_p202501090000": [5],
        "_p1751_03": [6],
        "_old": [7],
    }
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"CREATE TABLE {spec.table}_rest PARTITION OF {spec.quoted} DEFAULT")
    send(pipeline, (0, order(8, placed_at=0)))
    pipeline.stream()
    with postgres.connect(pipeline.settings) as connection:
        assert connection.execute(f"SELECT total FROM {spec.table}_rest").fetchall() == [(8,)]


def test_batch_may_need_any_number_of_partitions(shaped: Shaped, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are created, and the rows stored, in portions; rows that PostgreSQL refuses are among them."""
    monkeypatch.setattr(partitions, "MOST_AT_ONCE", 20)
    by = {"column": "placed_at", "every": "hour", "ahead": 0}
    pipeline = shaped(postgres={"mode": "append", "partition_by": by})
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    spec = pipeline.contract.spec.sinks.postgres
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"ALTER TABLE {spec.quoted} ADD CONSTRAINT few CHECK (total NOT IN (3, 20, 57))")
    many = 61
    send(pipeline, *((0, order(at, placed_at=(NOON + at * 3_600_000) * 1000)) for at in range(many)))
    pipeline.stream()
    wanted = [(at,) for at in range(many) if at not in (3, 20, 57)]
    assert sorted(rows_of_postgres(pipeline, "total")) == wanted
    assert complaints(pipeline) == ["CheckViolation (23514), constraint few"] * 3
    with postgres.connect(pipeline.settings) as connection:
        query = f"SELECT count(DISTINCT tableoid), count(*) FROM {spec.quoted}"
        assert connection.execute(query).fetchone() == (many - 3, many - 3)
    # The partitions are there now: their rows are stored in portions too.
    pipeline.stream(afresh=True)
    assert sorted(rows_of_postgres(pipeline, "total")) == wanted
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def test_late_row_of_a_detached_partition_gets_a_partition_of_another_name(shaped: Shaped) -> None:
    by = {"column": "placed_at", "every": "day", "ahead": 0}
    pipeline = shaped(postgres={"mode": "append", "partition_by": by})
    send(pipeline, (0, order(0)))
    pipeline.stream()
    spec = pipeline.contract.spec.sinks.postgres
    old, second, third = (partitions._name(spec, "2025_01_01", number) for number in range(3))
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"ALTER TABLE {spec.quoted} DETACH PARTITION {old}")
        connection.execute(f"CREATE TABLE {second} ()")  # as if it had been detached too
    send(pipeline, (1, order(1)))
    pipeline.stream()
    assert complaints(pipeline) == []
    with postgres.connect(pipeline.settings) as connection:
        query = f"SELECT total, tableoid::regclass::text FROM {spec.quoted}"
        assert connection.execute(query).fetchall() == [(1, third)]
        assert connection.execute(f"SELECT total FROM {old}").fetchall() == [(0,)]


def test_partitions_do_not_depend_on_how_the_database_writes_moments(shaped: Shaped) -> None:
    by = {"column": "placed_at", "every": "day", "ahead": 3}
    pipeline = shaped(postgres={"mode": "append", "partition_by": by})
    dsn = pipeline.settings.postgres_dsn
    odd = f"{dsn}{'&' if '?' in dsn else '?'}options=-c%20datestyle%3DSQL,DMY%20-c%20timezone%3DAsia/Kolkata"
    pipeline.settings = pipeline.settings.model_copy(update={"postgres_dsn": odd})
    send(pipeline, *((0, order(day, placed_at=(NOON + day * 86_400_000) * 1000)) for day in range(14)))
    pipeline.stream()
    pipeline.settings = pipeline.settings.model_copy(update={"postgres_dsn": dsn})
    send(pipeline, *((0, order(14 + day, placed_at=(NOON + day * 86_400_000) * 1000)) for day in range(14)))
    pipeline.stream()
    spec = pipeline.contract.spec.sinks.postgres
    with postgres.connect(pipeline.settings) as connection:
        query = f"SELECT tableoid::regclass::text, array_agg(total ORDER BY total) FROM {spec.quoted} GROUP BY 1"
        found = {name.removeprefix(spec.table): totals for name, totals in connection.execute(query)}
    assert found == {f"_p2025_01_{day + 1:02}": [day, 14 + day] for day in range(14)}
    assert complaints(pipeline) == []


def test_rows_sent_one_by_one_keep_their_time_to_live(shaped: Shaped, spark: SparkSession) -> None:
    """This is how rows are sent when the nodes refuse one of a batch."""
    pipeline = shaped(cassandra={"primary_key": ["id"], "ttl": "1h"})
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    table = layout.of(pipeline.contract, pipeline.contract.spec.sinks.cassandra)
    columns = [column.name for column in table.all_columns]
    values = {"id": "o1", "customer": "c", "placed_at": 1, "total": 2, "address": None}
    values |= {"kafka_timestamp": NOON, "kafka_partition": 0, "kafka_offset": 0}
    schema = "id string, customer string, placed_at bigint, total bigint, address string, kafka_timestamp bigint, "
    schema += "kafka_partition int, kafka_offset bigint, kafka_write_time bigint, kafka_ttl int"
    frame = spark.createDataFrame([(*(values[name] for name in columns), NOON * 1000, 100)], schema)
    with cassandra.connect(pipeline.settings) as session:
        assert row_by_row.send(session, frame, table) == (1, {})
        (found,) = session.execute(f"SELECT id, TTL(total) AS left, writetime(total) AS at FROM {table.sink.quoted}")
    assert (found.id, found.at) == ("o1", NOON * 1000)
    assert 90 < found.left <= 100


def test_field_may_be_called_as_what_only_a_table_with_ttl_needs(shaped: Shaped) -> None:
    fields = {"id": "string", "name": "string", "kafka_ttl": "int"}
    pipeline = shaped(fields, cassandra={"partition_key": ["id"], "clustering": ["kafka_ttl"]}, postgres=ID)
    schema_id = pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    for number in (1, 2):
        value = {"id": f"o{number}", "name": "n", "kafka_ttl": number}
        pipeline.send({"value": pipeline.encode(schema_id, value), "timestamp": NOON})
    pipeline.stream()  # which prepares the tables again
    wanted = [("o1", 1), ("o2", 2)]
    assert rows(pipeline, "id", "kafka_ttl") == {"cassandra": wanted, "postgres": wanted}
    time.sleep(2)  # no cell expires
    assert rows(pipeline, "id", "kafka_ttl") == {"cassandra": wanted, "postgres": wanted}


def test_event_without_fields_has_a_row_whose_key_is_all_of_it(shaped: Shaped) -> None:
    by = {"column": "kafka_timestamp", "every": "day", "ahead": 0}
    pipeline = shaped({}, postgres={"mode": "append", "partition_by": by})
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, {}), "timestamp": NOON + at} for at in range(3)))
    pipeline.stream()
    pipeline.stream(afresh=True)
    assert sorted(rows_of_postgres(pipeline, "kafka_offset")) == [(0,), (1,), (2,)]


LOCAL = {"type": "long", "logicalType": "local-timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
#: What the partitions are by, how long they are, two values, and how the names of their partitions end; the last is
#: 1 June 14645, in minutes.
PARTED = {
    "local": (LOCAL, "moment", "hour", [-1, 253_402_300_799_999_999], ["_p1969_12_31_23", "_p9999_12_31_23"]),
    "date": (DATE, "moment", "year", [-719_162, 2_932_896], ["_p0001", "_p9999"]),
    "event": ("int", "kafka_timestamp", "month", [1, 400_000_000_000_000], ["_p1970_01", "_pe6666624000"]),
}


@pytest.mark.parametrize("name", PARTED)
def test_partition_of_every_kind_of_time_holds_its_rows(shaped: Shaped, name: str) -> None:
    """The first and the last moment that a column may hold, and an event beyond the years that have four digits."""
    kind, column, every, moments, endings = PARTED[name]
    by = {"column": column, "every": every, "ahead": 0}
    pipeline = shaped({"id": "string", "moment": kind}, postgres={"mode": "append", "partition_by": by})
    with_any_time(pipeline)
    schema_id = pipeline.register()
    for at, moment in enumerate(moments):
        value = {"id": str(at), "moment": moment if column == "moment" else at}
        stamp = moment if column == "kafka_timestamp" else NOON
        pipeline.send({"value": pipeline.encode(schema_id, value), "timestamp": stamp})
    pipeline.stream()
    assert complaints(pipeline) == []
    found = pipeline.contract.spec.sinks.postgres
    (sink,) = job.prepare(pipeline.settings, pipeline.contract)
    assert isinstance(sink, PostgresSink)
    assert sink._partitions is not None
    with postgres.connect(pipeline.settings, autocommit=True) as connection:
        assert sink._partitions.create_for(connection, found.table) == [], "those that are there are found again"
        query = f"SELECT id, tableoid::regclass::text FROM {found.quoted} ORDER BY id"
        stored = [(id_, name.removeprefix(found.table)) for id_, name in connection.execute(query)]
    assert stored == list(zip(("0", "1"), endings, strict=True))
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
