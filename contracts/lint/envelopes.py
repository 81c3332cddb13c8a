"""The functions of the lint rules about envelopes.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from avro_data_contracts.contracts.avro import connect, shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Schema
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit

#: Types whose text or number is all that there is to them.
_PLAIN: Final = frozenset(
    {
        "io.debezium.data.Enum",
        "io.debezium.data.EnumSet",
        "io.debezium.data.Json",
        "io.debezium.data.Ltree",
        "io.debezium.data.Xml",
        "io.debezium.time.Year",
    }
)
#: What makes something else of the others.
_FIXES: Final[Mapping[str, str]] = {
    "io.debezium.data.VariableScaleDecimal": "declare the column with digits, NUMERIC(12, 2), or set the connector's "
    "decimal.handling.mode to string",
    "io.debezium.time.MicroDuration": "set the connector's interval.handling.mode to string, or read it as "
    "microseconds",
    "io.debezium.time.NanoTime": "read it as nanoseconds since midnight, or set the connector's time.precision.mode "
    "to adaptive_time_microseconds",
    "io.debezium.time.ZonedTimestamp": "read it as a text in ISO 8601",
    "org.apache.kafka.connect.data.Decimal": "have the converter write its precision (connect.decimal.precision), or "
    "set the connector's decimal.handling.mode to string",
}


def types_left(scope: ContractScope) -> Iterator[Hit]:
    if scope.contract.spec.envelope is None:
        return
    for subject, field in scope.fields:
        if subject.role == "value" and (found := _left(subject.schema, field.type)):
            name, stays = found
            what = f"{field.name!r} is {name}, which no logical type of Avro says: it stays {stays}"
            yield scope.at(subject, field, "type", what, _FIXES.get(name, ""))


def _left(schema: Schema, node: AnyType) -> tuple[str, str] | None:
    """The name of a type that Avro has no logical type for, and what it stays; None for any other type."""
    inner, _ = shapes.nullability(schema, node)
    if isinstance(inner, Array | Map):
        return _left(schema, inner.items if isinstance(inner, Array) else inner.values)
    name = connect.name_of(inner)
    if not name or name in _PLAIN or getattr(inner, "logical", None) is not None:
        return None
    return name, inner.type
