"""Facets of OpenLineage: what an event says of a dataset, a job or a run.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from avro_data_contracts import __version__
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.avro.writing import TAGS
from avro_data_contracts.contracts.stores.table import Column

#: Who says it.
PRODUCER: Final = f"urn:avro-data-contracts:{__version__}"
#: What our jobs are called in `jobType`.
INTEGRATION: Final = "AVRO_DATA_CONTRACTS"
_SPEC: Final = "https://openlineage.io/spec/facets"
#: Records inside records: what is deeper is left out.
_MOST_LEVELS: Final = 6

Facet = dict[str, Any]


def _facet(version: str, name: str, **content: Any) -> Facet:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/{version}/{name}.json#/$defs/{name}", **content}


def schema_of_record(schema: Schema, record: Record) -> Facet:
    """Return the fields of a record, with those inside."""
    return _schema(_fields(schema, record, ()))


def schema_of_columns(columns: Iterable[Column]) -> Facet:
    """Return the columns of a table."""
    return _schema([{"name": one.name, "type": one.type} for one in columns])


def schema_of(**fields: str) -> Facet:
    """Return fields by their types."""
    return _schema([{"name": name, "type": kind} for name, kind in fields.items()])


def _schema(fields: list[dict[str, Any]]) -> Facet:
    return _facet("1-2-0", "SchemaDatasetFacet", fields=fields)


def _fields(schema: Schema, record: Record, around: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for field in record.fields:
        one = _field(schema, field.name, field.type, (*around, record.fullname))
        found.append({**one, "description": field.doc} if field.doc else one)
    return found


def _field(schema: Schema, name: str, node: AnyType, around: tuple[str, ...]) -> dict[str, Any]:
    inner, _ = nullability(schema, node)
    inner = schema.resolve(inner)
    if isinstance(inner, Union):
        kinds = ", ".join(type_name(schema.resolve(one)) for one in inner.branches)
        return {"name": name, "type": f"union ({kinds})"}
    found: dict[str, Any] = {"name": name, "type": type_name(inner)}
    if len(around) >= _MOST_LEVELS:
        return found
    if isinstance(inner, Record) and inner.fullname not in around:
        found["fields"] = _fields(schema, inner, around)
    elif isinstance(inner, Array):
        found["fields"] = [_field(schema, "_element", inner.items, (*around, "[]"))]
    elif isinstance(inner, Map):
        found["fields"] = [
            {"name": "key", "type": "string"},
            _field(schema, "value", inner.values, (*around, "{}")),
        ]
    return found


def tags_of(schema: Schema) -> Facet | None:
    """Return the tags of the fields, by their paths; None if there are none."""
    found = []
    for node in schema.walk():
        tags = node.props.get(TAGS, [])
        for tag in tags if isinstance(tags, list) else [tags]:
            one = {"key": str(tag), "value": "true", "source": INTEGRATION}
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
