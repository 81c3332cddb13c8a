"""Reads the columns of a PostgreSQL table from its catalogue, as an Avro schema; nothing is inferred from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from contracts.errors import ConfigurationError, ServiceError
from contracts.start.samples import Guess, decimal, field, field_name, type_name

_COLUMNS = """
select c.column_name, c.data_type, c.udt_name, c.is_nullable = 'YES', c.numeric_precision, c.numeric_scale,
       e.data_type, e.numeric_precision, e.numeric_scale,
       col_description(format('%%I.%%I', c.table_schema, c.table_name)::regclass, c.ordinal_position)
from information_schema.columns c
left join information_schema.element_types e
  on (e.object_schema, e.object_name, e.object_type, e.collection_type_identifier)
   = (c.table_schema, c.table_name, 'TABLE', c.dtd_identifier)
where c.table_schema = %s and c.table_name = %s order by c.ordinal_position
"""
_KEY = """
select k.column_name from information_schema.table_constraints t
join information_schema.key_column_usage k using (constraint_schema, constraint_name, table_schema, table_name)
where t.constraint_type = 'PRIMARY KEY' and t.table_schema = %s and t.table_name = %s order by k.ordinal_position
"""
_TABLES = "select table_schema || '.' || table_name from information_schema.tables \
where table_schema not in ('pg_catalog', 'information_schema') order by 1 limit 20"

#: What each type of PostgreSQL is in Avro, without loss.  `numeric` and arrays depend on more than their name.
TYPES: Final[Mapping[str, Any]] = {
    "smallint": "int",
    "integer": "int",
    "bigint": "long",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "text": "string",
    "character varying": "string",
    "character": "string",
    "bytea": "bytes",
    "date": {"type": "int", "logicalType": "date"},
    "time without time zone": {"type": "long", "logicalType": "time-micros"},
    "timestamp with time zone": {"type": "long", "logicalType": "timestamp-micros"},
    "timestamp without time zone": {"type": "long", "logicalType": "local-timestamp-micros"},
    "uuid": {"type": "string", "logicalType": "uuid"},
}


def read(source: str) -> tuple[str, dict[str, Any], list[str]]:
    """The name of the table, its schema, and lines for the contract.

    Raises:
        ConfigurationError: the driver is missing, or no table has the name.
        ServiceError: the database does not answer, or refuses.
    """
    try:
        import psycopg
    except ModuleNotFoundError:
        raise ConfigurationError(
            "the driver of PostgreSQL is not installed", where="--from", fix='run: pip install "psycopg[binary]"'
        ) from None
    dsn, wanted = _split(source)
    space, _, table = wanted.rpartition(".")
    place = (space or "public", table)
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            columns = connection.execute(_COLUMNS, place).fetchall()
            key = [name for (name,) in connection.execute(_KEY, place)]
            tables = [name for (name,) in connection.execute(_TABLES)] if not columns else []
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(str(error).strip(), where="--from", fix="correct the address") from None
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise ServiceError(
            f"PostgreSQL refused: {words}", where="--from", fix="correct the address, or start the server",
            server="postgres",
        ) from None  # fmt: skip
    if not columns:
        what = f"there is no table {wanted!r}" if wanted else "the address names no table"
        fix = f"end the address with ?table=TABLE; tables here: {', '.join(tables) or 'none'}"
        raise ConfigurationError(what, where="--from", fix=fix)
    return table, schema_of(table, columns), _hints(table, key)


def schema_of(table: str, columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The schema of a table, from the rows of its catalogue."""
    fields: dict[str, dict[str, Any]] = {}
    for name, kind, udt, nullable, precision, scale, inner, inner_precision, inner_scale, comment in columns:
        free = field_name(name, fields)
        note = f"called {name!r} in the table, which Avro does not allow" if free != name else ""
        if kind == "ARRAY":
            item = _type(inner or "", udt.removeprefix("_"), inner_precision, inner_scale)
            guess = Guess({"type": "array", "items": ["null", item.type]}, item.doubt)
        else:
            guess = _type(kind, udt, precision, scale)
        fields[free] = field(free, guess, nullable, note, comment or "")
    return {"type": "record", "name": type_name(table), "namespace": "todo", "fields": list(fields.values())}


def _type(kind: str, udt: str, precision: int | None, scale: int | None) -> Guess:
    if kind == "numeric":
        if precision is not None and scale is not None and 0 <= scale <= precision:
            return Guess(decimal(precision, scale))
        return Guess("string", "numeric without a precision that Avro has; a string keeps every value")
    if kind in TYPES:
        return Guess(TYPES[kind])
    return Guess("string", f"the type is {udt if kind == 'USER-DEFINED' else kind or udt}, which Avro does not have")


def _split(source: str) -> tuple[str, str]:
    parts = urlsplit(source)
    options = parse_qsl(parts.query, keep_blank_values=True)
    table = next((value for name, value in options if name == "table"), "")
    left = urlencode([one for one in options if one[0] != "table"])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, left, "")), table


def _hints(table: str, key: Sequence[str]) -> list[str]:
    if not key:
        return ["# The table has no primary key."]
    return [
        "# The table's primary key, for sinks:",
        "# sinks:",
        "#   postgres:",
        f"#     table: {table}",
        f"#     primary_key: [{', '.join(key)}]",
    ]
