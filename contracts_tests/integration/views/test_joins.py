"""Views with joins on real servers: the rows of both stores are those of the same SQL as a batch over the topic."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import EXIT_USAGE, ConfigurationError, ServiceError
from avro_data_contracts.contracts.views.derived import derive
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.views.references import References
from contracts_tests.fixtures import grouped_rows, joined_rows
from contracts_tests.fixtures.joined_rows import CSV, GENDERS, SQL, in_spark, make_places, write_csv
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.users import headers, user
from contracts_tests.fixtures.view_rows import add_view, as_batch, stored

OTHER = CSV.replace("Ms", "Frau").replace(",2,", ",9,")


@pytest.fixture
def pipeline(lean: Pipeline) -> Pipeline:
    """The tables of the view matter here, in both stores, and not the contract's own."""
    return lean


def again(pipeline: Pipeline, query: str) -> None:
    """Let the last batch of a query be one that was broken off before Spark committed it."""
    (folder,) = pipeline.settings.checkpoint_dir.glob(f"*/topic-*/{query}/commits")
    last = max((one for one in folder.glob("[0-9]*")), key=lambda one: int(one.name))
    last.unlink()
    (folder / f".{last.name}.crc").unlink(missing_ok=True)


GROUPS = """\
SELECT window(registered_date, '1 hour').start AS hour, coalesce(title, '-') AS country, count(*) AS n,
       sum(amount) AS amount, sum(rank) AS ranks, max(g.rate) AS rate
FROM {source} u LEFT JOIN genders g ON u.gender = g.code
WHERE country IS NOT NULL
GROUP BY window(registered_date, '1 hour'), coalesce(title, '-')
"""


def test_rows_and_groups_of_a_join_are_those_of_the_sql_over_the_topic(pipeline: Pipeline) -> None:
    schema_id = grouped_rows.add_fields(pipeline)
    write_csv(pipeline)
    table = add_view(pipeline, SQL, reference={"genders": GENDERS, "places": make_places(pipeline)})
    write_csv(pipeline, name="of_groups.csv")
    reference = {"genders": {**GENDERS, "csv": "of_groups.csv"}}
    groups = grouped_rows.add_groups(pipeline, GROUPS, "g", reference=reference)
    in_spark(pipeline)
    for seed in range(2):
        pipeline.send(*grouped_rows.events(pipeline, schema_id, 150, seed))
        pipeline.stream()
        wanted = as_batch(pipeline, SQL)
        assert {row["title"] for row in wanted.values()} == {"Ms", "Mr"}
        assert len({row["place"] for row in wanted.values()}) >= 3
        found = stored(pipeline, table)
        assert found["postgres"] == wanted
        assert found["cassandra"] == {id_: joined_rows.in_cassandra(row) for id_, row in wanted.items()}
        of_groups, found_groups = grouped_rows.as_batch(pipeline, GROUPS), grouped_rows.stored(pipeline, groups)
        assert {key[1] for key in of_groups} == {"Ms", "Mr", "-"}
        for rows in found_groups.values():
            assert rows == {key: {**rows[key], **row} for key, row in of_groups.items()}
    # Events that are read again make the same rows.  A batch that was broken off adds its events to the groups that
    # they were in, whatever the file says now.
    for folder in pipeline.settings.checkpoint_dir.glob("*/topic-*/v.*"):
        shutil.rmtree(folder)
    write_csv(pipeline, OTHER, "of_groups.csv")
    for query in ("g.postgres", "g.cassandra"):
        again(pipeline, query)
    pipeline.stream()
    assert stored(pipeline, table) == found
    assert grouped_rows.stored(pipeline, groups) == found_groups


def test_event_sees_the_data_as_it_was_when_its_batch_began(pipeline: Pipeline) -> None:
    write_csv(pipeline)
    sql = "SELECT u.id, title, rank FROM {source} u LEFT JOIN genders ON gender = code"
    table = add_view(pipeline, sql, reference={"genders": GENDERS})
    schema_id = pipeline.register()

    def send(*numbers: int) -> None:
        records = (user(number, gender="FEMALE") for number in numbers)
        pipeline.send(*({"value": pipeline.encode(schema_id, one), "key": b"k"} for one in records))

    def titles() -> list[dict[str, str]]:
        return [{id_[-2:]: row["title"] for id_, row in rows.items()} for rows in stored(pipeline, table).values()]

    send(1, 2)
    pipeline.stream()
    assert titles() == [{"01": "Ms", "02": "Ms"}] * 2
    write_csv(pipeline, OTHER)
    for query in ("v.postgres", "v.cassandra"):
        again(pipeline, query)
    with postgres.connect(pipeline.settings, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {table}")
    # The batch is written again, with what it joined before; the next one joins what is there now.
    pipeline.stream()
    assert titles() == [{"01": "Ms", "02": "Ms"}] * 2
    send(2, 3)
    pipeline.stream()
    assert titles() == [{"01": "Ms", "02": "Frau", "03": "Frau"}] * 2


def test_event_for_which_the_sql_of_a_join_fails_is_a_dead_letter(pipeline: Pipeline) -> None:
    write_csv(pipeline)
    sql = "SELECT u.id, CAST(phone AS INT) + g.rank AS phone FROM {source} u JOIN genders g ON gender = g.code"
    table = add_view(pipeline, sql, reference={"genders": GENDERS}, postgres={
        "table": f"{pipeline.folder.name}_v", "primary_key": ["id"],
    })  # fmt: skip
    schema_id = pipeline.register()
    records = [user(number, gender="FEMALE", phone=phone) for number, phone in enumerate(["1", "x", "3", None, "y"])]
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "key": b"k"} for one in records))
    pipeline.stream()
    with postgres.connect(pipeline.settings) as connection:
        assert sorted(row[0] for row in connection.execute(f"SELECT coalesce(phone, -1) FROM {table}")) == [-1, 3, 5]
    assert [headers(one)["contracts.reason"] for one in pipeline.dead_letters()] == ["REFUSED:v.postgres"] * 2


#: What is done to the table -> words of the error.
WRONG = {
    "DROP TABLE {}": "there is no such table",
    "ALTER TABLE {} DROP COLUMN place": "column .*place.* does not exist",
    "ALTER TABLE {} ALTER COLUMN year TYPE bigint": "its column year is int8, and a int is int2 or int4 there",
    "ALTER TABLE {} DROP CONSTRAINT {}_pkey; INSERT INTO {} SELECT * FROM {} LIMIT 1": "have the same code, year",
    "UPDATE {} SET place = NULL": "a value of its column place is null",
    "UPDATE {} SET seen = 'infinity'": "outside of the years",
}


def test_table_that_is_wrong_stops_the_start_and_holds_up_a_batch(pipeline: Pipeline, tmp_path: Path) -> None:
    """A batch is retried as in an outage, with the name of the table, until the table is in order."""
    write_csv(pipeline)
    for number, (statement, words) in enumerate(WRONG.items()):
        places = make_places(pipeline)
        add_view(pipeline, SQL, reference={"genders": GENDERS, "places": places})
        contract = pipeline.contract
        derived = derive(contract, contract.views[0])
        references = References(pipeline.settings, derived.view, derived.analysis.data)
        checkpoint = tmp_path / str(number)
        before = references.of_batch(checkpoint, 0)
        with postgres.connect(pipeline.settings, autocommit=True) as connection:
            for one in statement.split("; "):
                connection.execute(one.replace("{}", places["table"]))
        with pytest.raises(ConfigurationError, match=words) as refused:
            references.begin(pipeline.spark)
        assert refused.value.exit_code == EXIT_USAGE
        assert f"the table public.{places['table']}, which it joins as places" in refused.value.what
        with pytest.raises(ServiceError, match=words) as held:
            references.of_batch(checkpoint, 1)
        assert places["table"] in held.value.what
        # The batch that had begun goes on, and so does the other one with the table as it should be.
        assert references.of_batch(checkpoint, 0) == before
        make_places(pipeline)
        assert references.of_batch(checkpoint, 1) == before


#: Type of a column -> a cell, the type and the value in PostgreSQL, and the type and the value in Spark.
TYPES: dict[str, tuple[str, str, str, str, Any]] = {
    "boolean": ("true", "boolean", "true", "boolean", True),
    "int": ("-2147483648", "integer", "-2147483648", "int", -(2**31)),
    "long": ("9223372036854775807", "bigint", "9223372036854775807", "bigint", 2**63 - 1),
    "float": ("0.5", "real", "0.5", "float", 0.5),
    "double": ("0.1", "double precision", "0.1", "double", 0.1),
    "string": (" \u00e9, ", "text", "' \u00e9, '", "string", " \u00e9, "),
    "bytes": ("AP8=", "bytea", "'\\x00ff'", "binary", b"\x00\xff"),
    "date": ("0001-01-01", "date", "'0001-01-01'", "date", dt.date(1, 1, 1)),
    "time-millis": ("23:59:59.999", "time", "'23:59:59.999'", "int", 86_399_999),
    "time-micros": ("00:00:00.000001", "time", "'00:00:00.000001'", "bigint", 1),
    "timestamp-millis": (
        "1969-12-31T23:59:59.999Z", "timestamptz", "'1969-12-31T23:59:59.999Z'", "timestamp",
        dt.datetime(1969, 12, 31, 23, 59, 59, 999_000),
    ),
    "timestamp-micros": (
        "2024-03-31T02:30:00.000001+02:00", "timestamptz", "'2024-03-31T02:30:00.000001+02'", "timestamp",
        dt.datetime(2024, 3, 31, 0, 30, 0, 1),
    ),
    "local-timestamp-millis": (
        "2024-03-31T02:30:00.001", "timestamp", "'2024-03-31T02:30:00.001'", "timestamp_ntz",
        dt.datetime(2024, 3, 31, 2, 30, 0, 1_000),
    ),
    "local-timestamp-micros": (
        "2024-03-31T02:30:00.000001", "timestamp", "'2024-03-31T02:30:00.000001'", "timestamp_ntz",
        dt.datetime(2024, 3, 31, 2, 30, 0, 1),
    ),
    "uuid": (
        "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6".lower(), "uuid", "'F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6'", "string",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    ),
    "decimal(38,10)": (
        "-1234567890123456789012345678.0123456789", "numeric", "-1234567890123456789012345678.0123456789",
        "decimal(38,10)", Decimal("-1234567890123456789012345678.0123456789"),
    ),
}  # fmt: skip


def test_every_type_has_the_same_value_in_a_csv_a_table_and_spark(pipeline: Pipeline) -> None:
    names = {kind: re.sub(r"[^a-z0-9]", "_", kind) for kind in TYPES}
    columns = {"k": "int", **{names[kind]: [None, kind] for kind in TYPES}}
    cells = [",".join(["k", *names.values()]), ",".join(["1", *(f'"{one[0]}"' for one in TYPES.values())])]
    text = "\n".join([*cells, "2" + "," * len(TYPES)])
    table = f"{pipeline.folder.name}_types"
    with postgres.connect(pipeline.settings, autocommit=True) as connection:
        listed = ", ".join(f'"{names[kind]}" {one[1]}' for kind, one in TYPES.items())
        connection.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, {listed})")
        connection.execute(f"INSERT INTO {table} VALUES (1, {', '.join(one[2] for one in TYPES.values())})")
        connection.execute(f"INSERT INTO {table} (k) VALUES (2)")
    write_csv(pipeline, text)
    said = {"key": ["k"], "columns": columns}
    sql = "SELECT u.id, a.k, b.k AS other FROM {source} u JOIN a ON length(email) = a.k JOIN b ON length(email) = b.k"
    add_view(pipeline, sql, reference={"a": {"csv": "genders.csv", **said}, "b": {"table": table, **said}})
    derived = derive(pipeline.contract, pipeline.contract.views[0])
    assert derived.problems == ()
    frames = References(pipeline.settings, derived.view, derived.analysis.data).begin(pipeline.spark)
    for frame in frames.values():
        assert dict(frame.dtypes) == {"k": "int", **{names[kind]: one[3] for kind, one in TYPES.items()}}
        first, second = sorted((row.asDict() for row in frame.collect()), key=lambda row: row["k"])
        assert first == {"k": 1, **{names[kind]: one[4] for kind, one in TYPES.items()}}
        assert second == {"k": 2, **dict.fromkeys(names.values())}


def test_view_does_not_start_without_its_table(pipeline: Pipeline) -> None:
    write_csv(pipeline)
    places = {**make_places(pipeline), "table": "nowhere.places"}
    add_view(pipeline, SQL, reference={"genders": GENDERS, "places": places})
    pipeline.register()
    with pytest.raises(ConfigurationError, match=r"v\.sql:1.*nowhere\.places.*there is no such table"):
        pipeline.stream()


def test_table_of_another_contract_is_joined(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    own = pipeline.folder.name
    pipeline.send({"value": pipeline.encode(schema_id, user(1, username="one")), "key": b"1"})
    pipeline.stream()
    sql = "SELECT u.id, o.username AS known, o.gender, o.dob FROM {source} u LEFT JOIN others o ON u.id = o.id"
    table = add_view(pipeline, sql, reference={"others": {"contract": own, "store": "postgres"}})
    pipeline.send({"value": pipeline.encode(schema_id, user(2)), "key": b"2"})
    pipeline.stream()
    for rows in stored(pipeline, table).values():
        assert {id_[-1]: row["known"] for id_, row in rows.items()}["1"] == "one"
