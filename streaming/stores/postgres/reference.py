"""Reads a table of PostgreSQL that a view joins: all rows at one moment, each value exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from avro_data_contracts.contracts.avro.nodes import Primitive
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.values.scalars import Check, Misfit, scalar
from avro_data_contracts.contracts.views.csv_rows import MOST_ROWS
from avro_data_contracts.contracts.views.references import Data
from avro_data_contracts.streaming.stores.postgres.connection import connect

#: Avro's type -> PostgreSQL's types whose values it holds exactly.
TYPES: Final[Mapping[str, frozenset[str]]] = {
    "boolean": frozenset({"bool"}),
    "int": frozenset({"int2", "int4"}),
    "long": frozenset({"int2", "int4", "int8"}),
    "float": frozenset({"float4"}),
    "double": frozenset({"float8"}),
    "string": frozenset({"text", "varchar", "bpchar"}),
    "bytes": frozenset({"bytea"}),
    "date": frozenset({"date"}),
    "uuid": frozenset({"uuid"}),
    "decimal": frozenset({"numeric"}),
    **{f"time-{unit}": frozenset({"time"}) for unit in ("millis", "micros")},
    **{f"timestamp-{unit}": frozenset({"timestamptz"}) for unit in ("millis", "micros")},
    **{f"local-timestamp-{unit}": frozenset({"timestamp"}) for unit in ("millis", "micros")},
    **{f"{local}timestamp-nanos": frozenset({"int8"}) for local in ("", "local-")},
}


class UnfitTable(Exception):
    """A table is not what the view says of it.

    Attributes:
        table: its name.
        what: why; it continues after the name.
        fix: what to do.
    """

    def __init__(self, table: str, what: str, fix: str) -> None:
        super().__init__(what)
        self.table = table
        self.what = what
        self.fix = fix


def read(settings: Settings, data: Data) -> list[dict[str, Any]]:
    """Return the rows of a table, in the order of their keys, as fastavro writes them.

    Raises:
        UnfitTable: there is no such table, the stream may not read it, or it has other columns or keys.
        ServiceError: the server does not answer.
    """
    space, _, table = data.table.partition(".")
    names = [field.name for field in data.record.fields]
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.Identifier(space, table),
        sql.SQL(", ").join(map(sql.Identifier, data.key)),
        MOST_ROWS + 1,
    )
    with connect(settings) as connection:
        try:
            cursor = connection.execute(query)
            assert cursor.description is not None
            _check_types(data, names, [column.type_code for column in cursor.description])
            found = cursor.fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            raise UnfitTable(data.table, "there is no such table", "create it, or correct its name") from None
        except psycopg.errors.UndefinedColumn as error:
            words = (error.diag.message_primary or "a column is missing").split("\n")[0]
            raise UnfitTable(data.table, words, "name the columns that it has") from None
        except psycopg.errors.InsufficientPrivilege:
            fix = f"run: GRANT SELECT ON {data.table} TO the account of the stream"
            raise UnfitTable(data.table, "the account of the stream may not read it", fix) from None
        except psycopg.DataError:
            raise UnfitTable(
                data.table, "it has a date or a time outside of the years 1 to 9999", "correct it"
            ) from None
    if len(found) > MOST_ROWS:
        raise UnfitTable(data.table, f"it has more than {MOST_ROWS:,} rows", "join a smaller table, or a view of it")
    return _rows(data, names, found)


def _check_types(data: Data, names: Sequence[str], codes: Iterable[int]) -> None:
    for name, code in zip(names, codes, strict=True):
        node, _ = nullability(data.schema, data.record.by_name[name].type)
        wanted = TYPES[type_name(node)]
        info = psycopg.adapters.types.get(code)
        if info is None or info.name not in wanted:
            is_type = info.name if info is not None else "of a type of its own"
            what = f"its column {name} is {is_type}, and a {type_name(node)} is {' or '.join(sorted(wanted))} there"
            raise UnfitTable(data.table, what, f"correct the type of {name} in the header")


def _rows(data: Data, names: Sequence[str], found: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    checks = {name: _check(data, name) for name in names}
    rows: list[dict[str, Any]] = []
    keys: set[tuple[Any, ...]] = set()
    for values in found:
        row: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            try:
                row[name] = checks[name](value)
            except Misfit as misfit:
                what = f"a value of its column {name} {misfit.why}"
                raise UnfitTable(data.table, what, "correct the value, or the type in the header") from None
        key = tuple(row[name] for name in data.key)
        if key in keys:
            what = f"two of its rows have the same {', '.join(data.key)}"
            raise UnfitTable(data.table, what, "give the table a primary key, or name more columns in `key`")
        keys.add(key)
        rows.append(row)
    return rows


def _check(data: Data, name: str) -> Check:
    node, nullable = nullability(data.schema, data.record.by_name[name].type)
    assert isinstance(node, Primitive)
    fits = scalar(node)

    def check(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise Misfit("is null; write [null, type] in the header for a column that may be null")
        return fits(value)

    return check
