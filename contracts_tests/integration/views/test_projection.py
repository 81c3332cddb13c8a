"""Views on real servers: the rows of both stores are those of the same SQL as a batch over the topic."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import replace
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.views.derived import derive
from avro_data_contracts.streaming import queries
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.views import ViewSink
from contracts_tests.fixtures.pipeline import Pipeline, comparable
from contracts_tests.fixtures.users import headers, user

SQL = """\
SELECT id,
       upper(last_name) AS last_name,
       gender,
       year(dob) AS born,
       dob,
       registered_date,
       date_trunc('MONTH', registered_date) AS month,
       coalesce(post_code, '') AS post_code,
       CAST(length(email) * 1000 AS DECIMAL(12, 2)) AS weight,
       email LIKE '%@example.com' AS known,
       kafka_timestamp AS seen
FROM {source} u
WHERE u.gender <> 'MALE' AND dob IS NOT NULL
"""


def add_view(pipeline: Pipeline, sql: str, name: str = "v", **sinks: Any) -> str:
    """Add a view to the contract's folder; return the name of its tables."""
    table = f"{pipeline.folder.name}_{name}"
    both = {
        "postgres": {"table": table, "primary_key": ["id"]},
        "cassandra": {"keyspace": "spark_streams", "table": table, "primary_key": ["id"]},
    }
    header = yaml.safe_dump({"sinks": sinks or both}, default_flow_style=True, width=10_000)
    folder = pipeline.folder / "views"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(f"-- {header}{sql.format(source=pipeline.folder.name)}")
    return table


def stored(pipeline: Pipeline, table: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The rows of both stores, by id."""
    with postgres.connect(pipeline.settings) as connection:
        cursor = connection.execute(f"SELECT * FROM {table}")
        names = [column.name for column in cursor.description]
        of_postgres = [dict(zip(names, row, strict=True)) for row in cursor]
    with cassandra.connect(pipeline.settings) as session:
        of_cassandra = [row._asdict() for row in session.execute(f"SELECT * FROM spark_streams.{table}")]
    return {
        store: {str(row["id"]): comparable(row) for row in rows}
        for store, rows in {"postgres": of_postgres, "cassandra": of_cassandra}.items()
    }


def as_batch(pipeline: Pipeline, sql: str) -> dict[str, dict[str, Any]]:
    """What the SQL gives over the whole topic, for each id the row of the newest event."""
    events = queries.whole(pipeline.spark, pipeline.settings, pipeline.contract).where("reason IS NULL")
    flat = events.selectExpr("record.*", "timestamp AS kafka_timestamp", "partition AS p", "offset AS o")
    source = f"batch_{uuid.uuid4().hex}"
    flat.createOrReplaceTempView(source)
    marked = sql.format(source=source).replace("SELECT ", "SELECT kafka_timestamp, p, o, ", 1)
    newest: dict[str, tuple[Any, dict[str, Any]]] = {}
    for row in pipeline.spark.sql(marked).collect():
        found = row.asDict()
        # A timestamp of Spark comes as the local time of this machine, which is UTC.
        found = {k: v.replace(tzinfo=dt.UTC) if isinstance(v, dt.datetime) else v for k, v in found.items()}
        place = (found["kafka_timestamp"], found["o"], found["p"])
        if found["id"] not in newest or newest[found["id"]][0] < place:
            columns = {name: value for name, value in found.items() if name not in ("p", "o")}
            newest[found["id"]] = place, columns | {"kafka_partition": found["p"], "kafka_offset": found["o"]}
    return {id_: comparable(row) for id_, (_, row) in newest.items()}


def expected_in_cassandra(row: dict[str, Any]) -> dict[str, Any]:
    """A computed timestamp is a number of microseconds there."""
    month = row["month"]
    micros = None if month is None else int((month - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds()) * 10**6
    return {**row, "month": micros}


def events(pipeline: Pipeline, schema_id: int, count: int, seed: int) -> list[dict[str, Any]]:
    """Events of 40 users in any order, some of which no view takes, with a few records that nobody can read."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    for number in range(count):
        if chance.random() < 0.05:
            found.append({"value": b"damaged", "key": b"x", "timestamp": 1_600_000_000_000 + number})
            continue
        record = user(
            chance.randrange(40),
            last_name=f"Name {chance.randrange(1_000)}",
            gender=chance.choice(["FEMALE", "MALE", "UNKNOWN"]),
            dob=chance.choice([None, dt.date(1980 + chance.randrange(30), 1, 31)]),
            post_code=chance.choice([None, "01234"]),
            email=chance.choice(["a@example.com", "long.name@example.org"]),
        )
        late = chance.randrange(50_000)
        timestamp = 1_600_000_000_000 + number * 1_000 - late
        found.append({"value": pipeline.encode(schema_id, record), "key": b"k", "timestamp": timestamp})
    return found


def test_rows_of_a_view_are_those_of_the_sql_over_the_topic(pipeline: Pipeline) -> None:
    table = add_view(pipeline, SQL)
    schema_id = pipeline.register()
    for seed in range(3):
        pipeline.send(*events(pipeline, schema_id, 150, seed))
        pipeline.stream()
        wanted = as_batch(pipeline, SQL)
        assert len(wanted) > 10
        found = stored(pipeline, table)
        assert found["postgres"] == wanted
        assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
    # What is read again changes nothing.
    pipeline.stream(afresh=True)
    assert stored(pipeline, table) == found
    # The contract's own tables have all users, and each damaged record is one letter, whatever views there are.
    assert len(pipeline.postgres_rows()) == 40
    sent = [event for seed in range(3) for event in events(pipeline, schema_id, 150, seed)]
    damaged = sum(event["value"] == b"damaged" for event in sent)
    letters = [headers(one) for one in pipeline.dead_letters()]
    places = {(one["__connect.errors.partition"], one["__connect.errors.offset"]) for one in letters}
    # The topic was read twice, so its letters were sent twice.
    assert (len(places), len(letters)) == (damaged, 2 * damaged)
    assert not any(one["contracts.reason"].startswith("REFUSED") for one in letters)


def test_view_takes_a_new_column_without_a_restart_from_the_beginning(pipeline: Pipeline) -> None:
    table = add_view(pipeline, "SELECT id, gender FROM {source}")
    schema_id = pipeline.register()
    pipeline.send({"value": pipeline.encode(schema_id, user(1)), "key": b"1"})
    pipeline.stream()
    add_view(pipeline, "SELECT id, gender, username FROM {source}")
    pipeline.send({"value": pipeline.encode(schema_id, user(2)), "key": b"2"})
    pipeline.stream()
    for rows in stored(pipeline, table).values():
        assert {row["username"] for row in rows.values()} == {None, "user2"}


def test_event_for_which_the_sql_fails_is_a_dead_letter_of_the_view(pipeline: Pipeline) -> None:
    table = add_view(pipeline, "SELECT id, CAST(phone AS INT) AS phone FROM {source}")
    schema_id = pipeline.register()
    phones = ["1", "secret", "2147483648", "4", None, "6"]
    records = [user(number, phone=phone) for number, phone in enumerate(phones)]
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "key": b"k"} for one in records))
    pipeline.stream()
    for rows in stored(pipeline, table).values():
        assert sorted((row["phone"] or 0) for row in rows.values()) == [0, 1, 4, 6]
    assert len(pipeline.postgres_rows()) == len(pipeline.cassandra_rows()) == 6
    letters = [headers(one) for one in pipeline.dead_letters()]
    assert sorted(one["contracts.reason"] for one in letters) == [
        *["REFUSED:v.cassandra"] * 2,
        *["REFUSED:v.postgres"] * 2,
    ]
    assert {one["__connect.errors.exception.message"] for one in letters} <= {
        "view v: CAST_INVALID_INPUT",
        "view v: CAST_OVERFLOW",
    }


def test_view_with_a_row_for_each_event_keeps_them_all(pipeline: Pipeline) -> None:
    postgres_only = {"postgres": {"table": f"{pipeline.folder.name}_all", "mode": "append"}}
    add_view(pipeline, "SELECT id, username FROM {source}", "all", **postgres_only)
    schema_id = pipeline.register()
    for name in ("a", "b"):
        pipeline.send({"value": pipeline.encode(schema_id, user(1, username=name)), "key": b"k"})
        pipeline.stream()
    pipeline.stream(afresh=True)
    with postgres.connect(pipeline.settings) as connection:
        found = connection.execute(f"SELECT username FROM {pipeline.folder.name}_all").fetchall()
    assert sorted(found) == [("a",), ("b",)]


def test_other_type_in_spark_stops_the_start_at_the_column(pipeline: Pipeline) -> None:
    add_view(pipeline, "SELECT id,\n  year(dob) AS born FROM {source}")
    contract = pipeline.contract
    found = derive(contract, contract.views[0])
    id_, born = found.analysis.outputs
    wrong = replace(found, analysis=replace(found.analysis, outputs=(id_, replace(born, spark="bigint"))))
    (sink,) = (one for one in job.stores(pipeline.settings, contract) if one.name == "v.postgres")
    assert isinstance(sink, ViewSink)
    sink.check(pipeline.spark)
    with pytest.raises(ConfigurationError, match=r"views/v.sql:3:3: view v: Spark makes born a int") as raised:
        ViewSink(contract, wrong, sink).check(pipeline.spark)
    assert raised.value.exit_code == 2


def test_row_that_a_store_refuses_is_a_dead_letter_of_the_view_there(pipeline: Pipeline) -> None:
    """Cassandra has no empty partition key; PostgreSQL takes it."""
    table = f"{pipeline.folder.name}_names"
    sinks = {
        "postgres": {"table": table, "primary_key": ["name"]},
        "cassandra": {"keyspace": "spark_streams", "table": table, "primary_key": ["name"]},
    }
    add_view(pipeline, "SELECT coalesce(username, '') AS name, id FROM {source};", "names", **sinks)
    schema_id = pipeline.register()
    records = [user(1), user(2, username=None), user(3)]
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "key": b"k"} for one in records))
    pipeline.stream()
    found = stored(pipeline, table)
    assert sorted(row["name"] for row in found["postgres"].values()) == ["", "user1", "user3"]
    assert sorted(row["name"] for row in found["cassandra"].values()) == ["user1", "user3"]
    assert [headers(one)["contracts.reason"] for one in pipeline.dead_letters()] == ["REFUSED:names.cassandra"]


def test_wrong_view_is_refused_before_anything_is_read(pipeline: Pipeline) -> None:
    add_view(pipeline, "SELECT id, nam FROM {source}")
    with pytest.raises(ConfigurationError, match=r"views/v.sql:2:12: view v: the value has no field 'nam'"):
        job.prepare(pipeline.settings, pipeline.contract)


def test_what_only_spark_refuses_stops_the_start_with_its_words(pipeline: Pipeline) -> None:
    add_view(pipeline, "SELECT id, CAST(dob + registered_date AS STRING) AS x FROM {source}")
    pipeline.register()
    sinks = job.prepare(pipeline.settings, pipeline.contract)
    with pytest.raises(ConfigurationError, match=r"view v: Spark refuses the SQL: \[DATATYPE_MISMATCH"):
        job.Job(pipeline.spark, pipeline.settings, pipeline.contract, sinks)
