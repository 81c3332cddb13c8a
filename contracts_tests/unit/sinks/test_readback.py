"""Values that are read back from a table: each type has a raw form, and a missing one is the field's default."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.stores.cassandra.columns import SCALARS as CASSANDRA
from avro_data_contracts.contracts.stores.postgres.columns import SCALARS as POSTGRES
from avro_data_contracts.streaming.sinks import readback


def sql(kind: Any, **more: Any) -> str:
    field = {"name": "f", "type": kind, **more}
    text = json.dumps({"type": "record", "name": "R", "fields": [field]})
    schema = parsing.parse(text, where="test")
    return readback.decoded(schema, schema.resolve(schema.root).fields[0])


def test_every_scalar_of_a_table_but_a_duration_has_a_raw_form() -> None:
    assert readback.RAW.keys() == POSTGRES.keys() - {"duration"} == CASSANDRA.keys() - {"duration"}


def text(value: str) -> str:
    return f"decode(X'{value.encode().hex()}', 'UTF-8')"


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
UUID = "abcdef00-0000-4000-8000-000000000001"
FIXED_UUID = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}
OF_16 = bytes.fromhex(UUID.replace("-", "")).decode("latin-1")


def of(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "logicalType": name}


#: Type and default -> the SQL that is there where the table has null.
DEFAULTS: list[tuple[Any, Any, str]] = [
    ("boolean", False, "coalesce(`f`, false)"),
    ("int", -5, f"coalesce(`f`, CAST({text('-5')} AS INT))"),
    ("long", 2**62, f"coalesce(`f`, CAST({text(str(2**62))} AS BIGINT))"),
    ("double", 1.5, f"coalesce(`f`, CAST({text('1.5')} AS DOUBLE))"),
    ("string", "it's \\ ü", f"coalesce(`f`, CAST({text(chr(39).join(('it', 's ')) + chr(92) + ' ü')} AS STRING))"),
    ("bytes", "\u0000\u00ff", "coalesce(`f`, X'00ff')"),
    (DECIMAL, "\u00ff", f"CAST(coalesce(`f`, CAST({text('-0.01')} AS STRING)) AS DECIMAL(6, 2))"),
    (DECIMAL, "\u0004\u00d2", f"CAST(coalesce(`f`, CAST({text('12.34')} AS STRING)) AS DECIMAL(6, 2))"),
    (of("int", "date"), -1, f"date_from_unix_date(coalesce(`f`, CAST({text('-1')} AS INT)))"),
    (
        of("int", "time-millis"),
        7,
        f"CAST(coalesce(`f`, CAST({text('7000')} AS BIGINT)) DIV 1000 AS INT)",
    ),
    (of("long", "time-micros"), 7, f"coalesce(`f`, CAST({text('7')} AS BIGINT))"),
    (of("long", "timestamp-millis"), -7, f"timestamp_micros(coalesce(`f`, CAST({text('-7000')} AS BIGINT)))"),
    (of("long", "timestamp-micros"), -7, f"timestamp_micros(coalesce(`f`, CAST({text('-7')} AS BIGINT)))"),
    (of("long", "timestamp-nanos"), 7, f"coalesce(`f`, CAST({text('7')} AS BIGINT))"),
    (
        of("long", "local-timestamp-micros"),
        7,
        f"CAST(timestamp_micros(coalesce(`f`, CAST({text('7')} AS BIGINT))) AS TIMESTAMP_NTZ)",
    ),
    (of("string", "uuid"), UUID.upper(), f"coalesce(`f`, CAST({text(UUID)} AS STRING))"),
    (FIXED_UUID, OF_16, f"unhex(replace(coalesce(`f`, CAST({text(UUID)} AS STRING)), '-', ''))"),
]


@pytest.mark.parametrize(("kind", "default", "wanted"), DEFAULTS)
def test_row_before_the_field_has_its_default(kind: Any, default: Any, wanted: str) -> None:
    assert sql(kind, default=default) == wanted


def test_null_stays_null_where_it_may_be_one() -> None:
    assert sql(["null", "long"], default=None) == "`f`"
    assert sql(["null", DECIMAL]) == "CAST(`f` AS DECIMAL(6, 2))"


def test_row_that_lacks_a_field_without_default_is_an_error() -> None:
    assert sql("long") == "coalesce(`f`, CAST(raise_error('a row has no f, which has no default') AS BIGINT))"
