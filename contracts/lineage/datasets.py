"""The datasets of a contract for OpenLineage, with column lineage, as far as the contract itself says it.  Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.lineage import facets
from avro_data_contracts.contracts.lineage.outputs import DEAD_LETTERS
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.stores.position import POSITION
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.stores.table import Column, Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.views.analysis import Analysis
from avro_data_contracts.contracts.views.derived import derive
from avro_data_contracts.contracts.views.references import Data

_IDENTITY: Final = {"type": "DIRECT", "subtype": "IDENTITY", "masking": False}


@dataclass(frozen=True)
class Dataset:
    """A dataset.

    Attributes:
        namespace: of the server, such as `kafka://HOST:PORT`.
        name: on that server.
        facets: by name.
    """

    namespace: str
    name: str
    facets: Mapping[str, facets.Facet] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"namespace": self.namespace, "name": self.name, "facets": dict(self.facets)}


def topic(contract: Contract, settings: Settings) -> Dataset:
    """Return the topic, with the fields of this contract's records."""
    schema = contract.value.schema
    root = schema.resolve(schema.root)
    found = {**_described(contract, "TOPIC", contract.spec.description)}
    found["schema"] = (
        facets.schema_of_record(schema, root) if isinstance(root, Record) else facets.schema_of(value=type_name(root))
    )
    if tags := facets.tags_of(schema):
        found["tags"] = tags
    return Dataset(_kafka(settings), contract.topic, found)


def dead_letters(contract: Contract, settings: Settings) -> Dataset:
    """Return the dead-letter topic: its values are whole records, so every field is in them."""
    around = topic(contract, settings)
    how = {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "the bytes of the record", "masking": False}
    inputs = [_input(around, name, how) for name in _names(contract)]
    found = _described(contract, "TOPIC", "Records that were refused, with the reason in their headers.")
    found["schema"] = facets.schema_of(key="bytes", value="bytes")
    found["columnLineage"] = facets.column_lineage({"value": inputs})
    return Dataset(around.namespace, contract.dead_letter_topic, found)


def inputs(contract: Contract, settings: Settings) -> tuple[Dataset, ...]:
    """Return what the stream reads: the topic, and the reference data that views join."""
    data = (one for view in contract.views for one in derive(contract, view).analysis.data.values())
    joined = {(one.namespace, one.name): one for one in (_reference(one, settings) for one in data)}
    return (topic(contract, settings), *joined.values())


def _reference(data: Data, settings: Settings) -> Dataset:
    found = {"schema": facets.schema_of_record(data.schema, data.record)}
    if data.file:
        return Dataset("file", posixpath.normpath(data.file), found)
    space, _, table = data.table.partition(".")
    sink = PostgresSpec(schema=space, table=table, primary_key=list(data.key))
    return Dataset(*store_of(sink).dataset(sink, settings), found)


def outputs(contract: Contract, settings: Settings) -> dict[str, Dataset]:
    """Return what the stream writes: by the names of its queries the tables of the contract and of its views, and
    under `DEAD_LETTERS` the dead letters."""
    found = dict(_tables(contract, settings))
    return {**found, DEAD_LETTERS: dead_letters(contract, settings)} if found else {}


def _tables(contract: Contract, settings: Settings) -> Iterator[tuple[str, Dataset]]:
    around = topic(contract, settings)
    for sink in contract.sinks:
        table = layout.wanted(contract, sink)
        columns = table.columns if isinstance(table, Table) else ()
        fields = {one.name: [_input(around, one.path, _how(one))] for one in columns}
        yield sink.kind, _table(contract, sink, table, contract.spec.description, fields, settings)
        if contract.deletes and isinstance(table, Table):
            deleted = layout.deletions(table)
            words = f"Keys of rows that were deleted from {sink.qualified}."
            name = f"{sink.kind}{deleted.sink.table.removeprefix(sink.table)}"
            yield name, _table(contract, deleted.sink, deleted, words, {}, settings)
    for view in contract.views:
        derived = derive(contract, view)
        analysis = derived.analysis
        joined = {name: _reference(one, settings) for name, one in analysis.data.items()}
        filters = list(_deciding(analysis, around, joined, contract))
        for sink in view.sinks:
            table = layout.wanted(derived.contract, sink) if derived.contract is not None else ()
            columns = table.columns if isinstance(table, Table) else ()
            computed = {one.name: list(_computed(one, analysis, around, joined, contract)) for one in columns}
            name = of_view(view.name, sink.kind)
            yield name, _table(contract, sink, table, view.spec.description, computed, settings, filters)


def _table(
    contract: Contract,
    sink: SinkSpec,
    table: Table | tuple[Any, ...],
    description: str,
    fields: Mapping[str, list[dict[str, Any]]],
    settings: Settings,
    filters: Iterable[dict[str, Any]] = (),
) -> Dataset:
    found = _described(contract, "TABLE", description)
    if isinstance(table, Table):  # else the stream does not start
        found["schema"] = facets.schema_of_columns(table.all_columns)
    if fields:
        found["columnLineage"] = facets.column_lineage(fields, list(filters))
    return Dataset(*store_of(sink).dataset(sink, settings), found)


def _deciding(
    analysis: Analysis, around: Dataset, joined: Mapping[str, Dataset], contract: Contract
) -> Iterator[dict[str, Any]]:
    """The input fields of a view's rows: those that decide which there are."""
    where, joins = _indirect("FILTER", analysis.where), _indirect("JOIN", " ".join(analysis.joins))
    for path in _in_value(analysis.filtered, contract):
        yield _input(around, path, where)
    for name, path in analysis.filtering:
        yield _input(joined[name], path, where)
    for path in _in_value(analysis.matched, contract):
        yield _input(around, path, joins)
    for name, data in analysis.data.items():
        for path in data.key:
            yield _input(joined[name], path, joins)


def _computed(
    column: Column, analysis: Analysis, around: Dataset, joined: Mapping[str, Dataset], contract: Contract
) -> Iterator[dict[str, Any]]:
    """The input fields of a column of a view."""
    output = analysis.by_name.get(column.path.partition(".")[0])
    if output is None:
        return
    as_it_is = output.node is not None and column.path == output.name and not column.is_json
    if column.mask:
        for path in _in_value(output.paths, contract):
            yield _input(around, path, _masked(column))
        for name, path in output.references:
            yield _input(joined[name], path, _masked(column))
        return
    how = _IDENTITY if as_it_is else {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": False}
    for path in _in_value(output.paths, contract):
        yield _input(around, path, how if as_it_is else {**how, "description": output.sql})
    for name, path in output.references:
        yield _input(joined[name], path, how if as_it_is else {**how, "description": output.sql})


def _masked(column: Column) -> dict[str, Any]:
    words = f"masked ({column.mask})"
    return {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": words, "masking": True}


def _indirect(subtype: str, sql: str) -> dict[str, Any]:
    return {"type": "INDIRECT", "subtype": subtype, "description": sql, "masking": False}


def _in_value(paths: Iterable[str], contract: Contract) -> Iterator[str]:
    """The paths that are fields, without the position of the event in its topic."""
    own = contract.value.record.by_name
    return (path for path in paths if path in own or path not in POSITION)


def _how(column: Column) -> dict[str, Any]:
    if column.mask:
        return _masked(column)
    if not column.is_json:
        return _IDENTITY
    return {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "as JSON", "masking": False}


def _input(dataset: Dataset, path: str, how: Mapping[str, Any]) -> dict[str, Any]:
    return {"namespace": dataset.namespace, "name": dataset.name, "field": path, "transformations": [dict(how)]}


def _names(contract: Contract) -> list[str]:
    root = contract.value.schema.resolve(contract.value.schema.root)
    return list(root.by_name) if isinstance(root, Record) else ["value"]


def _described(contract: Contract, kind: str, description: str) -> dict[str, facets.Facet]:
    found = {"datasetType": facets.dataset_type(kind), "ownership": facets.owned(contract.spec.owner, "Dataset")}
    return {**found, "documentation": facets.documented(description, "Dataset")} if description else found


def _kafka(settings: Settings) -> str:
    """The namespace of the cluster: its first server."""
    return f"kafka://{settings.kafka_bootstrap_servers.split(',')[0].strip()}"
