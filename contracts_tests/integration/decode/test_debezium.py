"""Debezium's envelopes, decoded: each is a row, a delete or a rejected record, and its values are exact."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import fastavro
from pyspark.sql import Row, SparkSession

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.streaming.decode.decoder import Decoder
from avro_data_contracts.streaming.decode.reasons import DELETES
from avro_data_contracts.streaming.decode.writer_schemas import Writer
from contracts_tests.fixtures import debezium
from contracts_tests.fixtures.debezium import UNAVAILABLE, change

RECORDS = 2_000
SEED = 20_261_130
MICROS = 1_700_000_000_123_456
ROW: dict[str, Any] = {
    "id": 7,
    "email": "ada@example.com",
    "name": "Ada",
    "balance": Decimal("-12.30"),
    "born": -135_140,
    "opens": 86_399_999_999,
    "wakes": 21_600_001,
    "seen": 1_700_000_000_123,
    "changed": MICROS,
    "measured": 1_700_000_000_123_456_789,
    "paid": "2023-11-14T22:13:20.123456Z",
    "token": "0E37DF36-F698-11E6-8DD4-CB9CED3DF976",
    "settings": '{"a": 1}',
    "level": "high",
    "rate": {"scale": 3, "value": b"\x04\xd2"},
    "photo": b"\x00\xff",
    "tags": ["a", None],
}
DECODED: dict[str, Any] = {
    **ROW,
    "born": dt.date(1600, 1, 1),
    "seen": dt.datetime(2023, 11, 14, 22, 13, 20, 123_000),
    "changed": dt.datetime(2023, 11, 14, 22, 13, 20, 123_456),
    "rate": Row(scale=3, value=bytearray(b"\x04\xd2")),
    "photo": bytearray(b"\x00\xff"),
}
NULLS: dict[str, Any] = {**dict.fromkeys(debezium.COLUMNS), "id": 8}


def contract(**spec: Any) -> Contract:
    return loading.from_files(debezium.files(**spec), "schemas").get("customers")


def encoded(records: Iterable[dict[str, Any]], schema: dict[str, Any]) -> list[bytearray]:
    parsed, found = fastavro.parse_schema(schema), []
    for record in records:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, parsed, record)
        found.append(bytearray(b"\x00\x00\x00\x00\x01" + body.getvalue()))
    return found


def decoded(spark: SparkSession, one: Contract, records: list[dict[str, Any]]) -> list[Row]:
    """The records, decoded in their order; exactly one of record and reason is not null."""
    rows = list(enumerate(encoded(records, debezium.envelope())))
    frame = spark.createDataFrame(rows, "number int, value binary")
    writers = {1: Writer(1, json.dumps(debezium.envelope()))}
    found = Decoder(one).decode(frame, writers).orderBy("number").collect()
    assert len(found) == len(records)
    assert all((row.record is None) != (row.reason is None) for row in found)
    return found


def altered(**columns: Any) -> dict[str, Any]:
    return change("u", {**ROW, **columns})


def test_row_of_each_operation_has_exact_values(spark: SparkSession) -> None:
    records = [change(op, ROW) for op in "cur"] + [change("u", ROW, {**NULLS, "id": 7}), change("c", NULLS)]
    found = decoded(spark, contract(), records)
    assert [row.record.asDict() for row in found] == [DECODED] * 4 + [NULLS]


#: Record, its reason, and what the detail says.
CASES: list[tuple[dict[str, Any], str, str]] = [
    (change("d", None, {**NULLS, "id": 7}), DELETES, ""),
    (change("d", None, None), DELETES, ""),
    (change("t"), "CHANGE_TRUNCATE", "truncated"),
    (change("m"), "CHANGE_MESSAGE", "has no row"),
    (change("x", ROW), "CHANGE_UNKNOWN", "none of c, u, r, d, t, m"),
    (change("", ROW), "CHANGE_UNKNOWN", "none of"),
    (change("D"), "CHANGE_UNKNOWN", "none of"),
    *((change(op, None, ROW), "CHANGE_WITHOUT_ROW", "`after`") for op in "cur"),
    (altered(email=UNAVAILABLE), "CHANGE_INCOMPLETE", "email was not changed"),
    (altered(settings=UNAVAILABLE), "CHANGE_INCOMPLETE", "settings was not changed"),
    (altered(photo=UNAVAILABLE.encode()), "CHANGE_INCOMPLETE", "photo was not changed"),
    (altered(tags=[UNAVAILABLE]), "CHANGE_INCOMPLETE", "REPLICA IDENTITY"),
    (altered(token="none"), "DECODE_ERROR", "token is not a UUID"),
    (altered(born=2**31 - 1), "DECODE_ERROR", "born is not between 0001-01-01 and 9999-12-31"),
    (altered(opens=86_400_000_000), "DECODE_ERROR", "opens is not a time of day"),
    (altered(wakes=-1), "DECODE_ERROR", "wakes is not a time of day"),
    (altered(changed=9_223_372_036_825_200_000), "DECODE_ERROR", "changed is not between the years 1 and 9999"),
    (altered(seen=253_402_300_800_000), "DECODE_ERROR", "after.seen"),
    (altered(email=None), "RULE:known", "email"),
]


def test_change_without_a_row_to_store_has_its_own_reason(spark: SparkSession) -> None:
    one = contract(rules=[{"name": "known", "field": "email", "required": True}])
    found = decoded(spark, one, [record for record, _, _ in CASES])
    assert [row.reason for row in found] == [reason for _, reason, _ in CASES]
    assert [row.detail for row, (_, _, words) in zip(found, CASES, strict=True) if words not in row.detail] == []


def test_long_text_that_only_contains_the_placeholder_is_a_text(spark: SparkSession) -> None:
    records = [
        altered(email=f"{UNAVAILABLE}!"),
        altered(tags=[UNAVAILABLE, "b"]),
        altered(tags=[]),
        altered(photo=b""),
    ]
    assert [row.reason for row in decoded(spark, contract(), records)] == [None] * 4


def test_what_is_around_the_row_may_be_anything(spark: SparkSession) -> None:
    """`before` and `source` are not read, so nothing in them rejects a row."""
    broken = {**ROW, "email": "a\x00b", "token": "none", "born": 2**31 - 1, "changed": -(2**63), "opens": -1}
    (row,) = decoded(spark, contract(), [change("u", ROW, broken)])
    assert (row.reason, row.record.asDict()) == (None, DECODED)


def test_every_mix_of_operation_and_row_has_the_outcome_of_the_table(spark: SparkSession) -> None:
    made = random.Random(SEED)
    records, expected = [], []
    for number in range(RECORDS):
        op = made.choice(["c", "u", "r", "d", "t", "m", "C", "cu", "", "\u00e9"])
        row = made.choice([None, {**ROW, "id": number}, {**NULLS, "id": number}])
        records.append(change(op, row, made.choice([None, ROW])))
        if op in ("d", "t", "m"):
            expected.append({"d": DELETES, "t": "CHANGE_TRUNCATE", "m": "CHANGE_MESSAGE"}[op])
        elif op not in ("c", "u", "r"):
            expected.append("CHANGE_UNKNOWN")
        else:
            expected.append("CHANGE_WITHOUT_ROW" if row is None else number)
    found = decoded(spark, contract(), records)
    assert [row.reason or row.record.id for row in found] == expected
    assert len({str(one) for one in expected if isinstance(one, str)}) == 5
