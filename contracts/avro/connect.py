"""The types of Kafka Connect and Debezium, which stand in `connect.name`, as the logical types of Avro.

Connect's Avro converter writes a type that Avro does not know as a plain number or text, with the name of the type in
the attribute `connect.name`.  A name in `TYPES` says exactly what a logical type of Avro says: `typed` adds that one.
All other names change nothing: their numbers and texts stay what they are (docs/how-to/debezium.md has the table).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Logical,
    Map,
    NamedType,
    Node,
    Primitive,
    Record,
    Schema,
    Union,
)
from avro_data_contracts.contracts.avro.trampoline import Step, run

NAME: Final = "connect.name"
#: Name -> base type and logical type.  Sources: Debezium's "Data type mappings" of PostgreSQL and MySQL ("Temporal
#: types": all but ZonedTimestamp have no time zone), and `AvroData` of Connect's converter.
TYPES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "io.debezium.time.Date": ("int", "date"),
        "io.debezium.time.Time": ("int", "time-millis"),
        "io.debezium.time.MicroTime": ("long", "time-micros"),
        "io.debezium.time.Timestamp": ("long", "local-timestamp-millis"),
        "io.debezium.time.MicroTimestamp": ("long", "local-timestamp-micros"),
        "io.debezium.time.NanoTimestamp": ("long", "local-timestamp-nanos"),
        "io.debezium.data.Uuid": ("string", "uuid"),
        # The converter says these as logical types too; an old one does not.
        "org.apache.kafka.connect.data.Date": ("int", "date"),
        "org.apache.kafka.connect.data.Time": ("int", "time-millis"),
        "org.apache.kafka.connect.data.Timestamp": ("long", "timestamp-millis"),
    }
)
#: How the names of types begin; all others are those of records.
PREFIXES: Final = ("io.debezium.time.", "io.debezium.data.", "org.apache.kafka.connect.data.")


def name_of(node: Node) -> str:
    """The name of the type that Connect or Debezium gives a node; empty for none."""
    name = node.props.get(NAME)
    return name if isinstance(name, str) and name.startswith(PREFIXES) else ""


def typed(schema: Schema) -> Schema:
    """The schema with a logical type wherever the name of the type says one and Avro knows none.

    The same bytes fit both.  The nodes keep their places in the text.
    """
    made: dict[str, NamedType] = {}
    root = run(_typed(schema.root, made))
    for fullname, node in schema.named.items():
        if fullname not in made:
            run(_typed(node, made))
    return replace(schema, root=root, named=MappingProxyType({**schema.named, **made}))


def _typed(node: AnyType, made: dict[str, NamedType]) -> Step:
    found: AnyType = node
    if isinstance(node, Primitive):
        return _primitive(node)
    if isinstance(node, Union):
        branches = []
        for branch in node.branches:
            branches.append((yield _typed(branch, made)))
        found = replace(node, branches=tuple(branches))
    elif isinstance(node, Array):
        found = replace(node, items=(yield _typed(node.items, made)))
    elif isinstance(node, Map):
        found = replace(node, values=(yield _typed(node.values, made)))
    elif isinstance(node, Record):
        fields = []
        for field in node.fields:
            fields.append(replace(field, type=(yield _typed(field.type, made))))
        by_name = MappingProxyType({field.name: field for field in fields})
        found = replace(node, fields=tuple(fields), by_name=by_name)
    if isinstance(found, NamedType):
        made[found.fullname] = found
    return found


def _primitive(node: Primitive) -> Primitive:
    base, logical = TYPES.get(name_of(node), ("", ""))
    if node.logical is not None or node.type != base:
        return node
    props: dict[str, Any] = {**node.props, "logicalType": logical}
    return replace(node, logical=Logical(logical), props=MappingProxyType(props))
