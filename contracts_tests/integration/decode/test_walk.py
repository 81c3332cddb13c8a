"""The walk that says where a record breaks finds what the strict reader in Java finds, in the same words."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.streaming.decode import framing, programs, walk
from avro_data_contracts.streaming.decode.strict import StrictReader
from contracts_tests.fuzz.contracts import SHAPES
from contracts_tests.fuzz.mutations import BYTEWISE, PIECEWISE
from contracts_tests.fuzz.nodes import parse
from contracts_tests.fuzz.writing import Values, joined, write

RECORDS = 300


def bodies(writer: str, rng: random.Random) -> list[bytes]:
    """Records of a schema, most of them damaged once or twice."""
    node, found = parse(json.loads(writer)), []
    for _ in range(RECORDS):
        body = write(node, Values(rng, odd=rng.choice((0, 0.05))).of(node), rng)
        for _ in range(rng.choice((0, 1, 1, 2))):
            body = rng.choice(PIECEWISE)(body, rng)
        raw = joined(body)
        for _ in range(rng.choice((0, 0, 1, 2))):
            raw = rng.choice(BYTEWISE)(raw, rng)
        if len(raw) < 100_000:
            found.append(raw)
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_walk_and_strict_reader_stop_for_the_same_reason(spark: SparkSession, name: str) -> None:
    rng, versions = random.Random(name), [json.dumps(one) for one in SHAPES[name].versions]
    reader = parsing.parse_stored(versions[-1])
    lines = [programs.lines(parsing.parse_stored(one), reader) for one in versions]
    values = [
        (number, framing.of(number + 1) + body) for number, text in enumerate(versions) for body in bodies(text, rng)
    ]
    known = {
        number + 1: (number, programs.program(parsing.parse_stored(text), reader))
        for number, text in enumerate(versions)
    }
    strict = StrictReader(spark, framing.VALUE_HEADER, known, {}, None)
    frame = spark.createDataFrame(
        [(number, bytearray(value), None) for number, value in values],
        "version int, value binary, headers array<struct<key: string, value: binary>>",
    )
    told = [row.read.detail for row in frame.coalesce(1).select(strict.read().alias("read")).collect()]
    found, seen = [], Counter[str]()
    for (number, value), said in zip(values, told, strict=True):
        try:
            broken = walk.broken(value, framing.BYTES, lines[number])
        except walk.TooLong:
            seen["too long"] += 1
            continue
        seen["broken" if broken else "whole"] += 1
        if (broken.words if broken else None) != said:
            found.append((value.hex(), broken, said))
        if broken:
            assert framing.BYTES <= broken.begin <= broken.at <= len(value)
    assert found == []
    assert seen["broken"] > len(values) / 5
    assert seen["whole"] > len(values) / 10
    assert seen["too long"] < len(values) / 50
