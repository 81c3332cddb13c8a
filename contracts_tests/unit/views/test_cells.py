"""A cell of reference data is the value that the producer makes of the same cell."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro.nodes import Primitive, Record, Schema
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.reference import ReferenceSpec, schema_of
from avro_data_contracts.contracts.values import cells
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.plain.cells import cells as of_producer
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.strict import compile_record

TYPES = [
    "boolean", "int", "long", "float", "double", "string", "bytes", "date", "time-millis", "time-micros",
    "timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros", "uuid",
    "decimal(5,2)",
]  # fmt: skip
#: Cells of each type, and almost of each.
TEXTS = [
    "", "true", "True", "0", "-0", "7", "07", "+7", "1e3", "1.5", "2147483648", "9223372036854775807", "0.1", "NaN",
    "16777217", "AP8=", "AP8", "2020-02-29", "2021-02-29", "12:34:56.789", "12:34:56.7891", "24:00:00",
    "2024-01-01T00:00:00Z", "2024-01-01 00:00:00.123456+01:00", "2024-01-01T00:00:00", "1.234", "999.99",
    "1000", " x ",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "null", "\ud800",
]  # fmt: skip


def written(schema: Schema, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(_json(schema)), {"c": value})
    return out.getvalue()


def _json(schema: Schema) -> Any:
    return json.loads(to_json(schema))


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("kind", TYPES)
@given(text=st.sampled_from(TEXTS) | st.text() | st.from_regex(r"-?[0-9.]{1,22}(e[0-9]{1,3})?", fullmatch=True))
@example(text="")
def test_cell_is_what_the_producer_sends(kind: str, nullable: bool, text: str) -> None:
    said = ReferenceSpec.model_validate(
        {"csv": "c.csv", "key": ["k"], "columns": {"k": "int", "c": [None, kind] if nullable else kind}}
    )
    schema = schema_of("c", {"c": said.columns["c"]})
    root = schema.root
    assert isinstance(root, Record)
    node, _ = nullability(schema, root.fields[0].type)
    assert isinstance(node, Primitive)
    try:
        sent = of_producer(schema, ["c"], Asked())([text])
        wanted: bytes | None = written(schema, compile_record(schema)(sent)["c"])
    except (Rejection, Misfit):
        wanted = None
    try:
        found: bytes | None = written(schema, cells.of(node, nullable=nullable)(text))
    except Misfit:
        found = None
    assert found == wanted
