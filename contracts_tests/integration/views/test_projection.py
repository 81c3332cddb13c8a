"""Views on real servers: the rows of both stores are those of the same SQL as a batch over the topic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.views.derived import derive
from avro_data_contracts.streaming.inspection.status import Observer
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.views.projection import ViewSink
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.users import headers, user
from contracts_tests.fixtures.view_rows import SQL, add_view, as_batch, events, expected_in_cassandra, stored


def test_rows_of_a_view_are_those_of_the_sql_over_the_topic(lean: Pipeline) -> None:
    table = add_view(lean, SQL)
    schema_id = lean.register()
    for seed in range(2):
        lean.send(*events(lean, schema_id, 200, seed))
        lean.stream()
        wanted = as_batch(lean, SQL)
        assert len(wanted) > 10
        found = stored(lean, table)
        assert found["postgres"] == wanted
        assert found["cassandra"] == {id_: expected_in_cassandra(row) for id_, row in wanted.items()}
    # What is read again changes nothing.
    lean.stream(afresh=True)
    assert stored(lean, table) == found
    # The contract's own tables have all users, and each damaged record is one letter, whatever views there are.
    assert len(lean.postgres_rows()) == 40
    sent = [event for seed in range(2) for event in events(lean, schema_id, 200, seed)]
    damaged = sum(event["value"] == b"damaged" for event in sent)
    letters = [headers(one) for one in lean.dead_letters()]
    places = {(one["__connect.errors.partition"], one["__connect.errors.offset"]) for one in letters}
    # The topic was read twice, so its letters were sent twice.
    assert (len(places), len(letters)) == (damaged, 2 * damaged)
    assert not any(one["contracts.reason"].startswith("REFUSED") for one in letters)


def test_view_takes_a_new_column_without_a_restart_from_the_beginning(lean: Pipeline) -> None:
    table = add_view(lean, "SELECT id, gender FROM {source}")
    schema_id = lean.register()
    lean.send({"value": lean.encode(schema_id, user(1)), "key": b"1"})
    lean.stream()
    add_view(lean, "SELECT id, gender, username FROM {source}")
    lean.send({"value": lean.encode(schema_id, user(2)), "key": b"2"})
    lean.stream()
    for rows in stored(lean, table).values():
        assert {row["username"] for row in rows.values()} == {None, "user2"}


def test_event_for_which_the_sql_fails_is_a_dead_letter_of_the_view(lean: Pipeline) -> None:
    table = add_view(lean, "SELECT id, CAST(phone AS INT) AS phone FROM {source}")
    schema_id = lean.register()
    phones = ["1", "secret", "2147483648", "4", None, "6"]
    records = [user(number, phone=phone) for number, phone in enumerate(phones)]
    lean.send(*({"value": lean.encode(schema_id, one), "key": b"k"} for one in records))
    lean.stream()
    for rows in stored(lean, table).values():
        assert sorted((row["phone"] or 0) for row in rows.values()) == [0, 1, 4, 6]
    assert len(lean.postgres_rows()) == 6
    letters = [headers(one) for one in lean.dead_letters()]
    assert sorted(one["contracts.reason"] for one in letters) == [
        *["REFUSED:v.cassandra"] * 2,
        *["REFUSED:v.postgres"] * 2,
    ]
    assert {one["__connect.errors.exception.message"] for one in letters} <= {
        "view v: CAST_INVALID_INPUT",
        "view v: CAST_OVERFLOW",
    }


def test_view_with_a_row_for_each_event_keeps_them_all(lean: Pipeline) -> None:
    postgres_only = {"postgres": {"table": f"{lean.folder.name}_all", "mode": "append"}}
    add_view(lean, "SELECT id, username FROM {source}", "all", **postgres_only)
    schema_id = lean.register()
    for name in ("a", "b"):
        lean.send({"value": lean.encode(schema_id, user(1, username=name)), "key": b"k"})
        lean.stream()
    lean.stream(afresh=True)
    with postgres.connect(lean.settings) as connection:
        found = connection.execute(f"SELECT username FROM {lean.folder.name}_all").fetchall()
    assert sorted(found) == [("a",), ("b",)]


def test_other_type_in_spark_stops_the_start_at_the_column(lean: Pipeline) -> None:
    add_view(lean, "SELECT id,\n  year(dob) AS born FROM {source}")
    contract = lean.contract
    found = derive(contract, contract.views[0])
    id_, born = found.analysis.outputs
    wrong = replace(found, analysis=replace(found.analysis, outputs=(id_, replace(born, spark="bigint"))))
    (sink,) = (one for one in job.stores(lean.settings, contract) if one.name == "v.postgres")
    assert isinstance(sink, ViewSink)
    sink.check(lean.spark, lean.folder)
    # SQL makes Spark create its warehouse, which is not to be in the working folder.
    local_dirs = lean.settings.spark_local_dirs.split(",")[0]
    assert Path(local_dirs).absolute().as_posix() in lean.spark.conf.get("spark.sql.warehouse.dir")
    with pytest.raises(ConfigurationError, match=r"views/v.sql:3:3: view v: Spark makes born a int") as raised:
        ViewSink(lean.settings, contract, wrong, sink).check(lean.spark, lean.folder)
    assert raised.value.exit_code == 2


def test_row_that_a_store_refuses_is_a_dead_letter_of_the_view_there(lean: Pipeline) -> None:
    """Cassandra has no empty partition key; PostgreSQL takes it."""
    table = f"{lean.folder.name}_names"
    sinks = {
        "postgres": {"table": table, "primary_key": ["name"]},
        "cassandra": {"keyspace": "spark_streams", "table": table, "primary_key": ["name"]},
    }
    add_view(lean, "SELECT coalesce(username, '') AS name, id FROM {source};", "names", **sinks)
    schema_id = lean.register()
    records = [user(1), user(2, username=None), user(3)]
    lean.send(*({"value": lean.encode(schema_id, one), "key": b"k"} for one in records))
    lean.stream()
    found = stored(lean, table)
    assert sorted(row["name"] for row in found["postgres"].values()) == ["", "user1", "user3"]
    assert sorted(row["name"] for row in found["cassandra"].values()) == ["user1", "user3"]
    assert [headers(one)["contracts.reason"] for one in lean.dead_letters()] == ["REFUSED:names.cassandra"]


def test_status_shows_rows_and_lag_of_views(pipeline: Pipeline) -> None:
    table = add_view(pipeline, "SELECT id FROM {source} WHERE gender = 'MALE'")
    schema_id = pipeline.register()
    for number, gender in enumerate(("MALE", "FEMALE", "MALE")):
        pipeline.send({"value": pipeline.encode(schema_id, user(number, gender=gender)), "key": b"k"})
    pipeline.stream()
    pipeline.send({"value": pipeline.encode(schema_id, user(9)), "key": b"k"})
    (found,) = Observer(pipeline.settings, Catalog("", {"one": pipeline.contract}, ())).look().contracts
    assert {one.sink: (one.rows.number if one.rows else None, one.lag) for one in found.sinks} == {
        "cassandra": (3, 1),
        "postgres": (3, 1),
        "v.cassandra": (2, 1),
        "v.postgres": (2, 1),
    }
    assert [one.table for one in found.sinks][2:] == [f"spark_streams.{table}", f"public.{table}"]
    assert {one.group for one in found.sinks} == {f"{pipeline.folder.name}.{one.sink}" for one in found.sinks}


def test_wrong_view_is_refused_before_anything_is_read(lean: Pipeline) -> None:
    add_view(lean, "SELECT id, nam FROM {source}")
    with pytest.raises(ConfigurationError, match=r"views/v.sql:2:12: view v: the value has no field 'nam'"):
        job.prepare(lean.settings, lean.contract)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("CAST(dob + registered_date AS STRING)", r"\[DATATYPE_MISMATCH"),
        ("address SIMILAR TO 'x'", r"\[PARSE_SYNTAX_ERROR"),
    ],
)
def test_what_only_spark_refuses_stops_the_start_with_its_words(lean: Pipeline, expression: str, words: str) -> None:
    add_view(lean, f"SELECT id, {expression} AS x FROM {{source}}")
    lean.register()
    sinks = job.prepare(lean.settings, lean.contract)
    with pytest.raises(ConfigurationError, match=f"view v: Spark refuses the SQL: {words}"):
        job.Job(lean.spark, lean.settings, lean.contract, sinks)


def test_sql_that_fails_for_every_event_stops_the_stream(lean: Pipeline) -> None:
    add_view(lean, "SELECT id, CAST(username AS INT) AS n FROM {source}")
    schema_id = lean.register()
    records = [user(number) for number in range(60)]
    lean.send(*({"value": lean.encode(schema_id, one), "key": b"k"} for one in records))
    with pytest.raises(
        ConfigurationError, match="view v: CAST_INVALID_INPUT, for each of the first 20 events"
    ) as raised:
        lean.stream()
    assert "user" not in str(raised.value).replace(lean.folder.name, "")
    assert len(lean.postgres_rows()) == 60
