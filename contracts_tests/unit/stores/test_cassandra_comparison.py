"""The rows of a Cassandra table beside those that it should have."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cassandra.cqltypes import UTF8Type
from cassandra.util import Date, Duration, OrderedMapSerializedKey, Time
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.stores.cassandra.comparison import _unlike, text_of

ID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"


def mapped(**items: Any) -> OrderedMapSerializedKey:
    found = OrderedMapSerializedKey(UTF8Type, 4)
    for name, value in items.items():
        found._insert(name, value)
    return found


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (None, None),
        (True, True),
        (-5, -5),
        (0.1, 0.1),
        (float("nan"), float("nan")),
        ("ä", "ä"),
        (bytearray(b"\x00\xff"), b"\x00\xff"),
        (ID, UUID(ID)),
        (-719_162, Date(-719_162)),
        (86_399_999_999_000, Time(86_399_999_999_000)),
        ("1mo2d3ms", Duration(1, 2, 3_000_000)),
        (Decimal("12.50"), Decimal("12.5")),
        (Decimal("12345678901234567890123456789012345678"), Decimal("12345678901234567890123456789012345678")),
        (Decimal("0.00"), Decimal("0")),
        (["a", "b"], ["a", "b"]),
        ([1, 2], (1, 2)),
        ([1_600_000_000_123], [dt.datetime(2020, 9, 13, 12, 26, 40, 123_000)]),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
    ],
)
def test_equal_cells_have_the_same_text_sent_and_read(sent: Any, read: Any) -> None:
    assert text_of(sent) == text_of(read)
    if isinstance(read, dict):
        assert text_of(sent) == text_of(mapped(**read))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (None, "None"),
        (0.1, 0.10000000000000002),
        (Decimal("12345678901234567890123456789012345678"), Decimal("12345678901234567890123456789012345679")),
        (["a", None], ["a", "null"]),
        (["a", "b"], ["b", "a"]),
        (["a,b"], ["a", "b"]),
        ({"a": 1}, {"a": 2}),
        (b"\x00", b"\x00\x00"),
        (Duration(1, 0, 0), Duration(0, 30, 0)),
    ],
)
def test_other_cells_have_other_texts(one: Any, other: Any) -> None:
    assert text_of(one) != text_of(other)


texts = st.none() | st.text(max_size=3)
tables = st.dictionaries(st.tuples(st.text(max_size=2), st.text(max_size=2)), st.tuples(texts, texts), max_size=20)


@given(tables, tables)
def test_each_row_that_differs_is_found_once(wanted: dict[Any, Any], stored: dict[Any, Any]) -> None:
    names = ["k1", "a", "k2", "b"]

    def row(key: tuple[str, str], values: tuple[str | None, str | None]) -> list[str | None]:
        return [key[0], values[0], key[1], values[1]]

    kept = sqlite3.connect("")
    kept.execute("CREATE TABLE wanted (key TEXT PRIMARY KEY, texts TEXT NOT NULL) WITHOUT ROWID")
    for key, values in wanted.items():
        kept.execute("INSERT INTO wanted VALUES (?, ?)", [json.dumps(list(key)), json.dumps(row(key, values))])
    found = list(_unlike(kept, names, [0, 2], (row(key, values) for key, values in stored.items())))
    kept.close()

    def cells(table: dict[Any, Any], key: tuple[str, str]) -> dict[str, str | None] | None:
        return dict(zip(names, row(key, table[key]), strict=True)) if key in table else None

    expected = [
        (cells(wanted, key), cells(stored, key))
        for key in wanted.keys() | stored.keys()
        if wanted.get(key) != stored.get(key)
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
