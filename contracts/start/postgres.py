"""Reads the columns of a PostgreSQL table from its catalogue, as an Avro schema; nothing is inferred from rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.start.numbers import decimal
from avro_data_contracts.contracts.start.samples import NAMESPACE, Guess, field, field_name, type_name

# Not from information_schema, which does not have the precision of an array's items.
_COLUMNS = """
select a.attname, case t.typtype when 'd' then format_type(t.typbasetype, t.typtypmod)
                  else format_type(a.atttypid, a.atttypmod) end,
       not a.attnotnull, col_description(a.attrelid, a.attnum)
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEY = """
select k.column_name from information_schema.table_constraints t
join information_schema.key_column_usage k using (constraint_schema, constraint_name, table_schema, table_name)
where t.constraint_type = 'PRIMARY KEY' and t.table_schema = %s and t.table_name = %s order by k.ordinal_position
"""
_TABLES = "select table_schema || '.' || table_name from information_schema.tables \
where table_schema not in ('pg_catalog', 'information_schema') order by 1"
_MOST_TABLES = 20

#: What each type of PostgreSQL is in Avro, without loss, by its name without numbers.
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
        fix = f"end the address with ?table=TABLE; tables here: {_listed('.'.join(place), tables)}"
        raise ConfigurationError(what, where="--from", fix=fix)
    return table, schema_of(table, columns), _hints(table, key)


def schema_of(table: str, columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The schema of a table.  `columns`: name, type, whether it can be null, and comment of each."""
    fields: dict[str, dict[str, Any]] = {}
    for name, kind, nullable, comment in columns:
        free = field_name(name, fields)
        note = f"called {name!r} in the table, which Avro does not allow" if free != name else ""
        guess = _type(kind.removesuffix("[]"))
        if kind.endswith("[]"):
            guess = Guess({"type": "array", "items": ["null", guess.type]}, guess.doubt)
        fields[free] = field(free, guess, nullable, note, comment or "")
    return {"type": "record", "name": type_name(table), "namespace": NAMESPACE, "fields": list(fields.values())}


def _type(kind: str) -> Guess:
    name = re.sub(r"\([\d,-]+\)", "", kind)
    if name == "numeric":
        exact = re.fullmatch(r"numeric\((\d+),(\d+)\)", kind)
        if exact and int(exact[2]) <= int(exact[1]):
            return Guess(decimal(int(exact[1]), int(exact[2])))
        return Guess("string", f"{kind} has no precision and scale that Avro has; a string keeps every value")
    if name in TYPES:
        return Guess(TYPES[name])
    return Guess("string", f"the type is {kind}, which Avro does not have")


def _listed(wanted: str, tables: Sequence[str]) -> str:
    """The tables of the database, those with a name like `wanted` first."""
    near = get_close_matches(wanted, tables, _MOST_TABLES)
    first = [*near, *(one for one in tables if one not in near)][:_MOST_TABLES]
    more = len(tables) - len(first)
    return ", ".join((*first, *([f"and {more:,} more"] if more else ()))) or "none"


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
