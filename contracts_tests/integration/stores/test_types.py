"""Every type of docs/reference/types.md: one contract with a field for each, written to both stores and read back."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cassandra.util import Date, Duration, Time
from psycopg.types.json import set_json_loads
from pyspark.sql import DataFrame, SparkSession
from structlog.testing import capture_logs

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job, small
from avro_data_contracts.streaming.run.small import SmallBatches
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import types_page
from contracts_tests.fixtures.complaints import complaints, told
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.type_cases import EPOCH, Case, cases, decimal, record

CASES = list(cases())
RECORDS = max(len(case.values) for case in CASES)
COLUMNS = [f"field_{number}" for number in range(len(CASES))]
IDS = [f"{case.row}-{name}" for name, case in zip(COLUMNS, CASES, strict=True)]


@dataclass(frozen=True)
class Stored:
    """The values that the stores returned.

    Attributes:
        rows: each store's rows by `id`.
        types: each store's column types, as the store spells them.
    """

    pipeline: Pipeline
    rows: dict[str, dict[str, dict[str, Any]]]
    types: dict[str, dict[str, str]]


@pytest.fixture(scope="module", params=["by Spark's connectors", "by the stores' drivers"])
def stored(
    request: pytest.FixtureRequest,
    settings_of_stack: Settings,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stored:
    """All values, written once in either way, and read from both stores."""
    direct = request.param == "by the stores' drivers"
    fields = {"id": "int"} | {name: case.kind for name, case in zip(COLUMNS, CASES, strict=True)}
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path_factory.mktemp("types"), fields, ("id",))
    schema_id = pipeline.register()
    # The first batch looks for the schema, so it goes the usual way.
    for number in (*((-2, -1) if direct else ()), *range(RECORDS)):
        values = {name: value_of(case, number).avro for name, case in zip(COLUMNS, CASES, strict=True)}
        pipeline.send({"value": pipeline.encode(schema_id, {"id": number, **values})})
    if direct:
        pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 2})
    seen: list[tuple[str, bool]] = []

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SmallBatches, "write", _spied(seen))
        patched.setattr(small, "_LARGE_BYTES", 2**20)  # a record has all values
        pipeline.stream()

    if direct:
        assert {one: seen.count((one, True)) >= RECORDS // 2 for one in STORES} == dict.fromkeys(STORES, True), seen
    else:
        assert seen == []
    assert complaints(pipeline) == []
    rows, types = _of_postgres(pipeline)
    return Stored(
        pipeline,
        {"cassandra": pipeline.cassandra_rows(), "postgres": rows},
        {"cassandra": _cassandra_types(pipeline), "postgres": types},
    )


def _spied(seen: list[tuple[str, bool]]) -> Any:
    write = SmallBatches.write

    def spied(self: SmallBatches, batch: DataFrame) -> Any:
        counts = write(self, batch)
        seen.append((self._sink.name, counts is not None))
        return counts

    return spied


def value_of(case: Case, number: int) -> Any:
    return case.values[number % len(case.values)]


def _cassandra_types(pipeline: Pipeline) -> dict[str, str]:
    spec = pipeline.contract.spec.sinks.cassandra
    with cassandra.connect(pipeline.settings) as session:
        found = session.execute(
            "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s",
            (spec.keyspace, spec.table),
        )
        return {row.column_name: row.type for row in found}


def _of_postgres(pipeline: Pipeline) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return rows and types; intervals as months, days and milliseconds, since Python has no type for months."""
    parts = (
        "ARRAY[extract(year FROM {0}) * 12 + extract(month FROM {0}), extract(day FROM {0}), "
        "(extract(hour FROM {0}) * 60 + extract(minute FROM {0})) * 60000 + extract(milliseconds FROM {0})]::bigint[]"
    )
    spec = pipeline.contract.spec.sinks.postgres
    with postgres.connect(pipeline.settings) as connection:
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        query = (
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum"
        )
        types = dict(connection.execute(query, (spec.qualified,)).fetchall())
        listed = ", ".join(parts.format(name) if kind == "interval" else name for name, kind in types.items())
        found = connection.execute(f"SELECT {listed} FROM {spec.qualified}").fetchall()
    return {str(row[0]): dict(zip(types, row, strict=True)) for row in found}, types


def comparable(value: Any, *, of_json: bool = False) -> Any:
    """Return one form for values that Python and the drivers have several for; in JSON a number has no type."""
    if isinstance(value, Mapping):
        return {key: comparable(one, of_json=of_json) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(one, of_json=of_json) for one in value]
    if isinstance(value, float):
        return Decimal(repr(value)) if of_json else repr(value)
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, Date):
        return value.date()
    if isinstance(value, Time):
        return value.nanosecond_time
    if isinstance(value, Duration):
        return [value.months, value.days, value.nanoseconds // 1_000_000]
    return value


def rounded(value: Any) -> Any:
    """Round Cassandra's datetimes, which its driver computes with floats, to milliseconds."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    if isinstance(value, dt.datetime):
        return EPOCH + dt.timedelta(milliseconds=round((value - EPOCH) / dt.timedelta(milliseconds=1)))
    return value


def interval(value: list[int] | None) -> list[int] | None:
    """Return PostgreSQL's interval, or None when all its parts are null."""
    return None if value == [None] * 3 else value


@pytest.mark.parametrize("store", ["cassandra", "postgres"])
@pytest.mark.parametrize(
    "name", COLUMNS, ids=[f"{case.row}-{name}" for name, case in zip(COLUMNS, CASES, strict=True)]
)
def test_stored_value_equals_the_sent_value(stored: Stored, name: str, store: str) -> None:
    case = CASES[COLUMNS.index(name)]
    kind = stored.types[store][name]
    field = stored.pipeline.contract.value.record.by_name[name]
    of_json = kind == "jsonb" or (
        store == "cassandra"
        and STORES["cassandra"].column_type(stored.pipeline.contract.value.schema, field.type).is_json
    )
    for number in range(RECORDS):
        found = stored.rows[store][str(number)][name]
        if of_json and isinstance(found, str) and store == "cassandra":
            found = json.loads(found, parse_float=Decimal)
        found = interval(found) if kind == "interval" else rounded(found) if store == "cassandra" else found
        expected = getattr(value_of(case, number), store)
        assert comparable(found, of_json=of_json) == comparable(expected, of_json=of_json)


def test_types_page_matches_the_columns_in_the_stores(stored: Stored) -> None:
    page = types_page.table("Scalars") | types_page.table("Nested types")
    assert {case.row for case in CASES} == set(page)
    for name, case in zip(COLUMNS, CASES, strict=True):
        in_cassandra, in_postgres = page[case.row][1:3]
        assert told(stored.types["cassandra"][name], in_cassandra), case
        assert told(stored.types["postgres"][name], in_postgres), case


def test_restarted_stream_accepts_its_own_tables(stored: Stored) -> None:
    job.prepare(stored.pipeline.settings, stored.pipeline.contract)


NESTED = record("Deep", ("ids", {"type": "array", "items": {"type": "string", "logicalType": "uuid"}}))
FLAWED = {
    "texts": {"type": "array", "items": "string"},
    "by_key": {"type": "map", "values": {"type": "int", "logicalType": "time-millis"}},
    "deep": {"type": "map", "values": ["null", NESTED]},
    "either": ["null", "int", {"type": "long", "logicalType": "local-timestamp-micros"}, "string"],
    "moment": {"type": "long", "logicalType": "time-micros"},
    "span": {"type": "fixed", "name": "Span", "size": 12, "logicalType": "duration"},
    "amount": decimal(4, 2),
    "amounts": {"type": "array", "items": decimal(18, 0)},
    "wide": {"type": "fixed", "name": "Wide", "size": 9, "logicalType": "decimal", "precision": 4},
}
GOOD = {"texts": ["", "ok"], "by_key": {"a": 0}, "deep": {"a": None}, "either": None, "moment": 0, "span": b"\0" * 12}
GOOD |= {"amount": b"\x01", "amounts": [b"\x02"], "wide": b"\0" * 9}
#: Values that neither store accepts at any depth, each with the message of its dead letter.
FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"amount": (10_000).to_bytes(2)}, "amount has more digits than decimal(4,2)"),
    ({"amount": (2**64 + 1).to_bytes(9)}, "amount has more digits than decimal(4,2)"),
    ({"amounts": [b"\x01", (2**64 + 1).to_bytes(9)]}, "amounts[] has more digits than decimal(18,0)"),
    ({"wide": (2**64 + 1).to_bytes(9)}, "wide has more digits than decimal(4,0)"),
    ({"texts": ["ok", "a\x00"]}, "texts[] holds the character U+0000, which PostgreSQL cannot store"),
    ({"by_key": {"\x00": 1}}, "a key of by_key holds the character U+0000, which PostgreSQL cannot store"),
    ({"by_key": {"a": 1, "b": 86_400_000}}, "by_key{} is not a time of day"),
    ({"by_key": {"a": -1}}, "by_key{} is not a time of day"),
    ({"deep": {"a": None, "b": {"ids": [""]}}}, "deep{}.ids[] is not a UUID"),
    ({"either": "\x00"}, "either(string) holds the character U+0000, which PostgreSQL cannot store"),
    ({"either": ("long", 300_000_000_000_000_000)}, "either(long) is not between the years 1 and 9999"),
    ({"moment": 86_400_000_000}, "moment is not a time of day"),
    ({"span": b"\0\0\0\x80" + b"\0" * 8}, "span has more than 2147483647 months or days"),
    ({"span": b"\0\0\0\0\0\0\0\xff" + b"\0" * 4}, "span has more than 2147483647 months or days"),
]


def test_value_that_no_store_can_hold_is_found_at_any_depth(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {"id": "int", **FLAWED}, ("id",))
    schema_id = pipeline.register()
    sent = [GOOD, *({**GOOD, **flaw} for flaw, _ in FLAWS), {**GOOD, "either": ("int", 1)}]
    pipeline.send(*({"value": pipeline.encode(schema_id, {"id": at, **one})} for at, one in enumerate(sent)))

    pipeline.stream()

    assert complaints(pipeline) == sorted(words for _, words in FLAWS)
    assert set(pipeline.cassandra_rows()) == set(pipeline.postgres_rows()) == {"0", str(len(sent) - 1)}


KEYS = {
    "day": {"type": "int", "logicalType": "date"},
    "id": {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"},
    "other_id": {"type": "string", "logicalType": "uuid"},
    "moment": {"type": "long", "logicalType": "timestamp-millis"},
    "number": "long",
    "small": "int",
    "name": "string",
    "raw": "bytes",
    "four": {"type": "fixed", "name": "Four", "size": 4},
    "state": {"type": "enum", "name": "State", "symbols": ["UNKNOWN", "OPEN"], "default": "UNKNOWN"},
    "flag": "boolean",
    "clock": {"type": "int", "logicalType": "time-millis"},
    "fine_clock": {"type": "long", "logicalType": "time-micros"},
    "micros": {"type": "long", "logicalType": "timestamp-micros"},
    "nanos": {"type": "long", "logicalType": "timestamp-nanos"},
    "local": {"type": "long", "logicalType": "local-timestamp-millis"},
    "local_micros": {"type": "long", "logicalType": "local-timestamp-micros"},
    "local_nanos": {"type": "long", "logicalType": "local-timestamp-nanos"},
}
FIRST_KEY = {"day": -141_432, "id": b"\x01" * 16, "other_id": str(uuid.UUID(int=1)), "moment": -62_135_596_800_000}
FIRST_KEY |= {"number": 2**53 + 1, "small": -1, "name": "é ", "raw": b"\x00\xff", "four": b"abcd", "state": "OPEN"}
FIRST_KEY |= {"flag": False, "clock": 0, "fine_clock": 0, "micros": 1_735_689_600_000_000, "nanos": 1, "local": 1}
FIRST_KEY |= {"local_micros": -62_135_596_800_000_000, "local_nanos": -1}
OTHER_KEY = {"day": 1, "id": b"\x02" * 16, "other_id": "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "moment": 1}
OTHER_KEY |= {"number": 2**53, "small": 0, "name": "e ", "raw": b"\x00", "four": b"abce", "state": "UNKNOWN"}
OTHER_KEY |= {"flag": True, "clock": 86_399_999, "fine_clock": 86_399_999_999, "micros": 1_735_689_600_000_001}
OTHER_KEY |= {"nanos": 0, "local": 0, "local_micros": 253_402_300_799_999_999, "local_nanos": 0}


def test_row_is_found_by_a_key_of_every_allowed_type(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """Keys that differ in one part are different rows; older events and the reconciliation find the right row."""
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {**KEYS, "note": "string"}, tuple(KEYS))
    schema_id = pipeline.register()
    kinds = {shapes.type_name(field.type) for field in pipeline.contract.value.record.fields}
    assert kinds == types.KEYS
    keys = [FIRST_KEY, *({**FIRST_KEY, name: OTHER_KEY[name]} for name in KEYS)]
    for note, millis in (("newer", 2_000_000), ("older", 1_000_000), ("newest", 3_000_000), ("late", 2_500_000)):
        values = (pipeline.encode(schema_id, {**key, "note": note}) for key in keys)
        pipeline.send(*({"value": value, "partition": 0, "timestamp": millis} for value in values))
    # Each time a batch of its own, written by Spark's connectors.
    batches = {"stream_max_per_batch": len(keys), "stream_small_batch": 0}
    pipeline.settings = pipeline.settings.model_copy(update=batches)
    with capture_logs() as logs:
        pipeline.stream()
    written = [(line["sink"], line["records"]) for line in logs if line["event"] == "batch written"]
    assert sorted(written) == sorted((store, len(keys)) for store in STORES for _ in range(4))

    for table, connect in (("cassandra", cassandra.connect), ("postgres", postgres.connect)):
        with connect(pipeline.settings) as connected:
            qualified = getattr(pipeline.contract.spec.sinks, table).qualified
            found = [note for (note,) in connected.execute(f"SELECT note FROM {qualified}")]
        assert found == ["newest"] * len(keys)
    assert complaints(pipeline) == []
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def test_key_that_a_store_cannot_hold_is_dead_lettered(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    """PostgreSQL compresses repetitive keys, but the limit must not depend on that."""
    pipeline = pipeline_of(settings_of_stack, spark, tmp_path, {"name": "string", "raw": "bytes"}, ("name", "raw"))
    schema_id = pipeline.register()
    noise = random.Random(1).randbytes(2_500)
    sent = [("", b"x"), ("a", b""), ("b", noise[1:]), ("c", noise), ("é" * 1_251, b""), ("d" * 70_000, b"")]
    pipeline.send(*({"value": pipeline.encode(schema_id, {"name": name, "raw": raw})} for name, raw in sent))

    pipeline.stream()

    long = "its primary key (name, raw) has more than {} bytes, the most for {}"
    empty = "name is empty, and Cassandra allows no empty partition key"
    postgres_most, cassandra_most = long.format("2,500", "postgres"), long.format("65,535", "cassandra")
    assert complaints(pipeline) == sorted([empty, postgres_most, postgres_most, cassandra_most])
    for table, connect in (("cassandra", cassandra.connect), ("postgres", postgres.connect)):
        with connect(pipeline.settings) as connected:
            rows = connected.execute(f"SELECT name FROM {getattr(pipeline.contract.spec.sinks, table).quoted}")
            assert sorted(name for (name,) in rows) == ["a", "b"]
    assert reconcile(pipeline.settings, pipeline.contract).in_order()
