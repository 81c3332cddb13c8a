"""Sends rows one by one with cassandra-driver: the connector hides what a node answers to a row."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BoundStatement, PreparedStatement
from cassandra.util import Date, Duration
from pyspark.sql import DataFrame, Row

from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, TTL, WRITE_TIME
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.sinks.refusals import Coordinates
from avro_data_contracts.streaming.stores.cassandra import failures

#: What the driver raises for a value that it cannot send; the message may quote the value.
UNSENDABLE = (TypeError, ValueError, OverflowError, struct.error)
# They may be large.
_AT_ONCE = 100


def send(session: Session, numbers: DataFrame, table: Table) -> tuple[int, dict[Coordinates, str]]:
    """Write each row; return how many were accepted, and which were refused and why.

    Args:
        numbers: rows of `cells.in_numbers`, each with its write time.

    Raises:
        DriverException, NoHostAvailable: the nodes fail, or refuse for a reason that is not about a row.
    """
    # Without a time to live, a field may have the name of `TTL`.
    columns = [column.name for column in table.all_columns]
    using = [name for name in (WRITE_TIME, TTL) if name in numbers.columns and name not in columns]
    at = (columns.index(EVENT_PARTITION), columns.index(EVENT_OFFSET))
    statement = insertion(session, table, with_ttl=TTL in using)
    taken = 0
    refused: dict[Coordinates, str] = {}
    left = numbers.select(*columns, *using).repartition(refusals.PARTS).toLocalIterator()
    while some := list(islice(left, _AT_ONCE)):
        bound: list[tuple[Row, BoundStatement]] = []
        for row in some:
            try:
                bound.append((row, bind(statement, row)))
            except UNSENDABLE as error:  # its message may quote the value
                refused[row[at[0]], row[at[1]]] = f"{type(error).__name__}: the driver cannot send it"
        answers = execute_concurrent(session, [(one, ()) for _, one in bound], raise_on_first_error=False)
        for (row, _), (done, answer) in zip(bound, answers, strict=True):
            if done:
                taken += 1
            elif isinstance(answer, InvalidRequest):
                refused[row[at[0]], row[at[1]]] = failures.of_driver("", answer).what
            else:
                raise answer
    return taken, refused


def insertion(session: Session, table: Table, *, with_ttl: bool = False) -> PreparedStatement:
    """Prepare the statement that writes a row: its columns, then its write time, then its time to live."""
    columns = [column.name for column in table.all_columns]
    marked = "USING TIMESTAMP ?" + (" AND TTL ?" if with_ttl else "")
    marks = ", ".join("?" for _ in columns)
    listed = ", ".join(f'"{name}"' for name in columns)
    return session.prepare(
        f"INSERT INTO {table.sink.quoted} ({listed}) VALUES ({marks}) {marked}"  # noqa: S608 - names
    )


def bind(statement: PreparedStatement, row: Sequence[Any]) -> BoundStatement:
    """Return the statement with the values of a row.  Raises one of `UNSENDABLE` if the driver cannot send them."""
    types = [column.type for column in statement.column_metadata]
    return statement.bind([_for_driver(*pair) for pair in zip(row, types, strict=True)])


def _for_driver(value: Any, type_: Any) -> Any:
    """Convert a cell to what cassandra-driver takes for a column of that type."""
    if value is None:
        return None
    match type_.typename:
        case "frozen":
            return _for_driver(value, type_.subtypes[0])
        case "list":
            return [_for_driver(item, type_.subtypes[0]) for item in value]
        case "map":
            return {key: _for_driver(item, type_.subtypes[1]) for key, item in value.items()}
        case "uuid":
            return UUID(value)
        case "blob":
            return bytes(value)
        case "date":
            return Date(value)
        case "duration":
            months, days, millis = map(int, re.findall(r"\d+", value))
            return Duration(months, days, millis * 1_000_000)
    return value
