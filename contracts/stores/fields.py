"""Which fields of a value, and which paths inside it, can be columns.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import Field, Record, Schema
from avro_data_contracts.contracts.stores import nested, types
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Refusal


def refusal(schema: Schema, field: Field, sink: SinkSpec) -> Refusal | None:
    """Return why a field cannot be a column of a table; None if it can."""
    return type_refusal(schema, field) or name_refusal(field.name, sink)


def type_refusal(schema: Schema, field: Field) -> Refusal | None:
    """Return why no store can hold a field."""
    problem = types.problem(schema, field)
    return Refusal(field.name, f"field {field.name}: {problem.what}", problem.fix) if problem else None


def name_refusal(name: str, sink: SinkSpec) -> Refusal | None:
    """Return why a column cannot have a name."""
    if name.lower() in sink.reserved:
        return Refusal(name, f"field {name}: the stream adds its own column {name!r}", "rename the field")
    return store_of(sink).name_refusal(name)


def further(record: Record, schema: Schema, sink: SinkSpec, name: str) -> Field | Refusal:
    """Return the field that fills a column of the sink's `columns`, under the name of the column; or why none can."""
    at = ("columns", name)
    if name in {one.lower() for one in record.by_name}:  # Spark does not tell them apart
        why = f"column {name}: the value has a field {name}, which has a column of that name"
        return Refusal(name, why, "choose another name", at)
    found = nested.leaf(schema, record, sink.columns[name])
    if isinstance(found, types.Problem):
        return Refusal(name, f"column {name}: {found.what}", found.fix, at)
    field = nested.as_column(schema, name, found)
    if no := refusal(schema, field, sink):
        why, fix = no.why.replace("field ", "column ", 1), no.fix.replace("the field", "the column")
        return Refusal(name, why, fix, at)
    return field
