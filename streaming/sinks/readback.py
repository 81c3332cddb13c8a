"""Reads the values of a contract back from its table, as the decoder had made them (docs/reference/views.md).

A store gives each column in a raw form that no calendar and no number of digits can bend: days, moments and times as
numbers, decimals and UUIDs as texts.  SQL in ANSI mode, which fails where a value does not fit, makes the decoded
value of it.  `contracts.views.stored_fields` says which fields can be read.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from avro_data_contracts.contracts.avro.defaults import double_from_text
from avro_data_contracts.contracts.avro.nodes import AnyType, Field, Schema
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP

#: Avro's type -> Spark's type of the raw form; moments and times are microseconds, since 1970 and since midnight.
RAW: Final = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "enum": "string",
    "bytes": "binary",
    "fixed": "binary",
    "uuid": "string",
    "date": "int",
    "time-millis": "bigint",
    "time-micros": "bigint",
    **{f"{local}timestamp-{unit}": "bigint" for local in ("", "local-") for unit in ("millis", "micros", "nanos")},
    "decimal": "string",
}
#: The position of the event that wrote a row -> its type in Avro's words.
POSITION: Final = {EVENT_TIMESTAMP: "timestamp-millis", EVENT_PARTITION: "int", EVENT_OFFSET: "long"}
_IN_MILLIS: Final = ("time-millis", "timestamp-millis", "local-timestamp-millis")


def raw_name(schema: Schema, field: Field) -> str:
    """Return the key of `RAW` of a field."""
    return types.scalar(schema, field.type)


def decoded(schema: Schema, field: Field) -> str:
    """Return SQL that makes the decoded value of a field from its raw form, a column of its name.

    A row that was written before the field existed has null there; such a record is decoded with the default.
    """
    column, (node, nullable) = f"`{field.name}`", nullability(schema, field.type)
    name = raw_name(schema, field)
    if not nullable:
        missing = _default(name, node, field.default) if field.has_default else _lacking(name, field)
        column = f"coalesce({column}, {missing})"
    if name == "decimal":
        precision, scale = decimal_digits(node)
        return f"CAST({column} AS DECIMAL({precision}, {scale}))"
    if name == "uuid":
        return column if node.type == "string" else f"unhex(replace({column}, '-', ''))"
    if name == "date":
        return f"date_from_unix_date({column})"
    if name == "time-millis":
        return f"CAST({column} DIV 1000 AS INT)"
    if name.startswith("timestamp-") and not name.endswith("nanos"):
        return f"timestamp_micros({column})"
    if name.startswith("local-timestamp-") and not name.endswith("nanos"):
        return f"CAST(timestamp_micros({column}) AS TIMESTAMP_NTZ)"
    return column


def position(name: str) -> str:
    """Return SQL that makes a part of an event's position from its raw form."""
    return f"timestamp_micros(`{name}`)" if POSITION[name] == "timestamp-millis" else f"`{name}`"


def _lacking(name: str, field: Field) -> str:
    words = f"a row has no {field.name}, which has no default".replace("'", "\\'")
    return f"CAST(raise_error('{words}') AS {RAW[name].upper()})"


def _default(name: str, node: AnyType, value: Any) -> str:
    """Return the default of a field, which is JSON, in raw form."""
    raw = RAW[name]
    if raw == "boolean":
        return "true" if value else "false"
    if name in ("bytes", "fixed"):
        return f"X'{_bytes(value).hex()}'"
    if name == "decimal":
        value = _unscaled(int.from_bytes(_bytes(value), "big", signed=True), decimal_digits(node)[1])
    elif name == "uuid":
        value = value.lower() if node.type == "string" else uuid.UUID(bytes=_bytes(value))
    elif name in ("float", "double") and isinstance(value, str):
        value = double_from_text(value)
    elif name in _IN_MILLIS:
        value *= 1000
    return f"CAST({_quoted(str(value))} AS {raw.upper()})"


def _bytes(value: str) -> bytes:
    """Return the bytes of a default: JSON has a letter for each."""
    return value.encode("latin-1")


def _quoted(text: str) -> str:
    """Return a text as a literal whose every letter is told by its number, so nothing in it means anything."""
    return f"decode(X'{text.encode().hex()}', 'UTF-8')"


def _unscaled(number: int, scale: int) -> str:
    digits = str(abs(number)).rjust(scale + 1, "0")
    whole = f"{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}" if scale else digits
    return f"-{whole}" if number < 0 else whole
