"""Compares rows with a PostgreSQL table, in the server: it parses their cells as it does for the stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from pyspark.sql import DataFrame

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_TIMESTAMP
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.stores.postgres import existing
from avro_data_contracts.streaming.stores.postgres.connection import connect
from avro_data_contracts.streaming.stores.store import Cells, Comparison

_AT_ONCE: Final = 2_000
#: Temporary tables, which hide others of their names: the table itself is always named with its schema.
_WANTED, _NONE = sql.Identifier("wanted"), sql.Identifier("none_there")
# A timestamp without a row is null, and that of a row never is.
_UNLIKE: Final = """\
SELECT {of_wanted}, {of_stored}
FROM (SELECT DISTINCT ON ({key}) * FROM {wanted} ORDER BY {key}, {newest}) AS w FULL JOIN {table} AS s ON {same}
WHERE ({w}) IS DISTINCT FROM ({s})
"""


@contextmanager
def compared(settings: Settings, table: Table, cells: DataFrame) -> Iterator[Comparison]:
    """See `Store.compared`.

    Args:
        cells: the rows, in the form in which the sink sends them; a key may occur several times.
    """
    names = [column.name for column in table.all_columns]
    assert isinstance(table.sink, PostgresSpec)
    with connect(settings) as connection:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in table.all_columns
        )
        connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(_WANTED, columns))
        _load(connection, cells)
        there: sql.Composable = sql.SQL(table.sink.quoted)
        if existing.table(connection, table.sink) is None:
            connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(_NONE, _WANTED))
            there = _NONE
        key = sql.SQL(", ").join(map(sql.Identifier, table.sink.key))
        count = connection.execute(
            sql.SQL("SELECT count(*) FROM (SELECT DISTINCT {} FROM {}) AS w").format(key, _WANTED)
        ).fetchone()
        assert count is not None
        with connection.cursor(name="unlike") as found:
            found.itersize = _AT_ONCE
            found.execute(_statement(table, names, there))
            yield Comparison(count[0], (_pair(names, row) for row in found))


def _load(connection: psycopg.Connection, cells: DataFrame) -> None:
    listed = sql.SQL(", ").join(map(sql.Identifier, cells.columns))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_WANTED, listed)) as copy,
    ):
        for row in cells.toLocalIterator():
            copy.write_row([bytes(value) if isinstance(value, bytearray) else value for value in row])
    connection.execute(sql.SQL("ANALYZE {}").format(_WANTED))


def _statement(table: Table, names: Sequence[str], there: sql.Composable) -> sql.Composed:
    key = table.sink.key
    return sql.SQL(_UNLIKE).format(
        of_wanted=_texts("w", names),
        of_stored=_texts("s", names),
        w=_of("w", names),
        s=_of("s", names),
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        newest=sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier(name)) for name in table.sink.order),
        same=sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("w", name), sql.Identifier("s", name)) for name in key
        ),
        wanted=_WANTED,
        table=there,
    )


def _of(side: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(side, name) for name in names)


def _texts(side: str, names: Sequence[str]) -> sql.Composed:
    forms = {EVENT_TIMESTAMP: sql.SQL("(extract(epoch FROM {}) * 1000)::bigint::text")}
    as_text = sql.SQL("{}::text")
    return sql.SQL(", ").join(forms.get(name, as_text).format(sql.Identifier(side, name)) for name in names)


def _pair(names: Sequence[str], row: Sequence[Any]) -> tuple[Cells | None, Cells | None]:
    wanted, stored = (dict(zip(names, half, strict=True)) for half in (row[: len(names)], row[len(names) :]))
    return wanted if wanted[EVENT_TIMESTAMP] else None, stored if stored[EVENT_TIMESTAMP] else None
