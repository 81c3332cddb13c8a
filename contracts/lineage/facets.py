"""Facets of OpenLineage: what an event says of a dataset, a job or a run.  Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from avro_data_contracts import __version__
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.stores.table import Column

#: Who says it.
PRODUCER: Final = f"urn:avro-data-contracts:{__version__}"
#: What our jobs are called in `jobType`.
INTEGRATION: Final = "AVRO_DATA_CONTRACTS"
_SPEC: Final = "https://openlineage.io/spec/facets"
#: Of a record, with those inside.  What is beyond is left out, and the field around it says so; the record's own
#: fields are always there.
MOST_FIELDS: Final = 1_000
#: Records inside records, in the same way.
_MOST_LEVELS: Final = 6

Facet = dict[str, Any]
#: Fields: name, type and doc.
_Inside = Sequence[tuple[str, AnyType, str | None]]


def _facet(version: str, name: str, **content: Any) -> Facet:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/{version}/{name}.json#/$defs/{name}", **content}


def schema_of_record(schema: Schema, record: Record) -> Facet:
    """Return the fields of a record, with those inside, up to `MOST_FIELDS`."""
    return _schema(_Fields(schema).of(record))


def schema_of_columns(columns: Iterable[Column]) -> Facet:
    """Return the columns of a table."""
    return _schema([{"name": one.name, "type": one.type} for one in columns])


def schema_of(**fields: str) -> Facet:
    """Return fields by their types."""
    return _schema([{"name": name, "type": kind} for name, kind in fields.items()])


def _schema(fields: list[dict[str, Any]]) -> Facet:
    return _facet("1-2-0", "SchemaDatasetFacet", fields=fields)


class _Fields:
    """The fields of a record, and level by level those inside, so that a limit leaves out the deepest."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._number = 0
        self._waiting: deque[tuple[dict[str, Any], AnyType, tuple[str, ...]]] = deque()

    def of(self, record: Record) -> list[dict[str, Any]]:
        found = self._all(_of_record(record), (record.fullname,))
        while self._waiting:
            holder, node, around = self._waiting.popleft()
            inside: _Inside
            if isinstance(node, Record):
                inside, within = _of_record(node), node.fullname
            elif isinstance(node, Array):
                inside, within = [("_element", node.items, None)], "[]"
            elif isinstance(node, Map):
                inside, within = [("value", node.values, None)], "{}"
            else:
                continue
            if within in around and isinstance(node, Record):
                _leave_out(holder, f"inside {node.name} again")
            elif len(around) >= _MOST_LEVELS:
                _leave_out(holder, f"more than {_MOST_LEVELS} levels deep")
            elif self._number + len(inside) > MOST_FIELDS:
                _leave_out(holder, f"more than {MOST_FIELDS:,} fields")
            else:
                keys = [{"name": "key", "type": "string"}] if isinstance(node, Map) else []
                self._number += len(keys)
                holder["fields"] = [*keys, *self._all(inside, (*around, within))]
        return found

    def _all(self, fields: _Inside, around: tuple[str, ...]) -> list[dict[str, Any]]:
        self._number += len(fields)
        return [self._one(*one, around) for one in fields]

    def _one(self, name: str, node: AnyType, doc: str | None, around: tuple[str, ...]) -> dict[str, Any]:
        inner, _ = nullability(self._schema, node)
        inner = self._schema.resolve(inner)
        found: dict[str, Any] = {"name": name, "type": type_name(inner)}
        if isinstance(inner, Union):
            kinds = ", ".join(type_name(self._schema.resolve(one)) for one in inner.branches)
            found["type"] = f"union ({kinds})"
        if doc:
            found["description"] = doc
        self._waiting.append((found, inner, around))
        return found


def _of_record(record: Record) -> _Inside:
    return [(one.name, one.type, one.doc) for one in record.fields]


def _leave_out(holder: dict[str, Any], why: str) -> None:
    words = f"its fields are left out: {why}"
    holder["description"] = f"{holder['description']} ({words})" if "description" in holder else words


def tags_of(schema: Schema) -> Facet | None:
    """Return the tags of the fields, by their paths; None if there are none."""
    found = []
    for node in schema.walk():
        for tag in node.tags:
            one = {"key": tag, "value": "true", "source": INTEGRATION}
            found.append({**one, "field": node.path} if node.path else one)
    return _facet("1-0-0", "TagsDatasetFacet", tags=found) if found else None


def dataset_type(name: str) -> Facet:
    """Return what a dataset is, such as TOPIC or TABLE."""
    return _facet("1-0-1", "DatasetTypeDatasetFacet", datasetType=name)


def owned(by: str, kind: str) -> Facet:
    """Return the owner of a `Dataset` or a `Job`."""
    return _facet("1-0-1", f"Ownership{kind}Facet", owners=[{"name": by, "type": "OWNER"}])


def documented(words: str, kind: str) -> Facet:
    """Return the description of a `Dataset` or a `Job`."""
    return _facet("1-1-0", f"Documentation{kind}Facet", description=words)


def job_type(processing: str, job: str, integration: str = INTEGRATION) -> Facet:
    """Return what a job is.  `processing`: BATCH or STREAMING."""
    return _facet("2-0-4", "JobTypeJobFacet", processingType=processing, integration=integration, jobType=job)


def error(words: str) -> Facet:
    """Return why a run failed."""
    return _facet("1-0-1", "ErrorMessageRunFacet", message=words, programmingLanguage="PYTHON")


def parent(namespace: str, job: str, run: str) -> Facet:
    """Return the run that started this one."""
    return _facet("1-2-0", "ParentRunFacet", run={"runId": run}, job={"namespace": namespace, "name": job})


def rows(number: int) -> Facet:
    """Return how many rows or records a run wrote to a dataset."""
    return _facet("1-0-2", "OutputStatisticsOutputDatasetFacet", rowCount=number)


def column_lineage(fields: Mapping[str, Sequence[dict[str, Any]]], filters: Sequence[dict[str, Any]] = ()) -> Facet:
    """Return the input fields of each column, and those that decide whether there is a row."""
    found = {name: {"inputFields": list(inputs)} for name, inputs in fields.items()}
    return _facet(
        "1-2-0", "ColumnLineageDatasetFacet", fields=found, **({"dataset": list(filters)} if filters else {})
    )
