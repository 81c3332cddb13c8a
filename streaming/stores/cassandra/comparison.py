"""Compares rows with a Cassandra table: those that it should have are kept in a file of SQLite's while it is read."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from cassandra.util import Date, Duration, Time
from pyspark.sql import DataFrame

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.stores.cassandra import existing
from avro_data_contracts.streaming.stores.cassandra.connection import connect
from avro_data_contracts.streaming.stores.store import Cells, Comparison

_EPOCH = dt.datetime(1970, 1, 1)
# More digits than any decimal of Spark has.
_EXACT: Final = Context(prec=100)
_Texts = list[str | None]


@contextmanager
def compared(settings: Settings, table: Table, cells: DataFrame) -> Iterator[Comparison]:
    """See `Store.compared`.

    Args:
        cells: the rows, in the form in which the sink sends them, each key once.
    """
    names = [column.name for column in table.all_columns]
    at = [names.index(name) for name in table.sink.key]
    # Without a name, SQLite keeps what does not fit into a small cache in a file that nobody else sees.
    with closing(sqlite3.connect("")) as wanted:
        wanted.execute("PRAGMA journal_mode = OFF")
        wanted.execute("CREATE TABLE wanted (key TEXT PRIMARY KEY, texts TEXT NOT NULL) WITHOUT ROWID")
        texts = (list(map(text_of, row)) for row in cells.select(*names).toLocalIterator())
        wanted.executemany("INSERT INTO wanted VALUES (?, ?)", ((_key(at, one), json.dumps(one)) for one in texts))
        (rows,) = wanted.execute("SELECT count(*) FROM wanted").fetchone()
        yield Comparison(rows, _unlike(wanted, names, at, _stored(settings, table, names)))


def _stored(settings: Settings, table: Table, names: Sequence[str]) -> Iterator[_Texts]:
    """Yield the table's rows, page by page."""
    assert isinstance(table.sink, CassandraSpec)
    with connect(settings) as session:
        found = existing.table(session, table.sink)
        if found is None:
            return
        moments = {column.name for column in found.all_columns if column.type == "timestamp"}
        listed = existing.selected(names, moments)
        for row in session.execute(f"SELECT {listed} FROM {table.sink.quoted}"):  # noqa: S608 - identifiers
            yield list(map(text_of, row))


def _unlike(
    wanted: sqlite3.Connection, names: Sequence[str], at: Sequence[int], stored: Iterable[_Texts]
) -> Iterator[tuple[Cells | None, Cells | None]]:
    for texts in stored:
        key = _key(at, texts)
        found = wanted.execute("DELETE FROM wanted WHERE key = ? RETURNING texts", [key]).fetchone()
        if found is None:
            yield None, dict(zip(names, texts, strict=True))
        elif (expected := json.loads(found[0])) != texts:
            yield dict(zip(names, expected, strict=True)), dict(zip(names, texts, strict=True))
    for (kept,) in wanted.execute("SELECT texts FROM wanted"):
        yield dict(zip(names, json.loads(kept), strict=True)), None


def _key(at: Sequence[int], texts: Sequence[str | None]) -> str:
    return json.dumps([texts[one] for one in at])


def text_of(value: Any) -> str | None:
    """Return a cell as text, alike whether the sink sends it or cassandra-driver has read it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, Mapping):
        return json.dumps({str(key): text_of(one) for key, one in value.items()}, sort_keys=True)
    if isinstance(value, list | tuple):
        return json.dumps([text_of(one) for one in value])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(_EXACT), "f")
    return str(_number(value))


def _number(value: Any) -> Any:
    """Return a day, a time or a duration as the number, or the text, that the sink sends."""
    match value:
        case Date():
            return value.days_from_epoch
        case Time():
            return value.nanosecond_time
        case Duration():
            return f"{value.months}mo{value.days}d{value.nanoseconds // 1_000_000}ms"
        case dt.datetime():  # inside a list or a map; the driver computes milliseconds with a float
            return round((value - _EPOCH) / dt.timedelta(milliseconds=1))
        case UUID():
            return str(value)
    return value
