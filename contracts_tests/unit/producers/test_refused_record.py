"""Any record that a producer refuses becomes a dead letter: as JSON if possible, else as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.producers import dead_letter
from avro_data_contracts.producers.publish import RejectedRecord

ITSELF: dict[str, Any] = {}
ITSELF["itself"] = ITSELF
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ({"a": 1.5, "b": b"\x00"}, {"a": 1.5, "b": "AA=="}),
        ({"a": "\ud800"}, {"a": "\ud800"}),
        ({"a": float("nan")}, "{'a': nan}"),
        ({b"a": 1}, "{b'a': 1}"),
        ({("a", 1): 1}, "{('a', 1): 1}"),
        (ITSELF, "{'itself': {...}}"),
        (DEEP, "a list that is nested too deeply to be written"),
        (None, None),
    ],
    ids=["plain", "half a pair", "nan", "bytes as key", "tuple as key", "in itself", "deep", "none"],
)
def test_refused_record_becomes_json(record: Any, value: Any) -> None:
    letter = dead_letter.of(record, RejectedRecord("INVALID_RECORD", "no"), topic="t", producer="p")
    assert json.loads(letter.value, parse_constant=no_constant) == value
