"""The reference data that a view joins: its columns and key, and what is wrong with it.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Primitive, Record, Schema
from avro_data_contracts.contracts.avro.shapes import decimal_digits, nullability, type_name
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog import spec, yaml_text
from avro_data_contracts.contracts.catalog.header import header_of
from avro_data_contracts.contracts.catalog.reference import REFRESH, Reference, schema_of
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.masks import masked, plan
from avro_data_contracts.contracts.masks.spec import How
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.rooms import ROOMS
from avro_data_contracts.contracts.views import csv_rows
from avro_data_contracts.contracts.views.csv_rows import CsvRows
from avro_data_contracts.contracts.views.problem import Problem, Rule


@dataclass(frozen=True)
class Data:
    """Reference data, as far as it is known without a server.

    Attributes:
        name: as the SQL has it.
        schema: of a row, a record of scalars.
        key: no two rows have the same, and none of it is null.
        table: of PostgreSQL, with its schema; empty for a CSV.
        refresh: how old the rows of a table may be when a batch begins, in seconds.
        file: the CSV, as messages show it.
        rows: of a CSV.
        masks: of the contract whose table it is: store -> column -> mask.
        stored: column -> the mask that its values are where they are read.
    """

    name: str
    schema: Schema
    key: tuple[str, ...]
    table: str = ""
    refresh: int = REFRESH
    file: str = ""
    rows: CsvRows | None = None
    masks: Mapping[str, Mapping[str, How]] = field(default_factory=dict)
    stored: Mapping[str, How] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of rows of a CSV."""
        return len(self.rows.rows) if self.rows is not None else 0

    @property
    def record(self) -> Record:
        root = self.schema.root
        assert isinstance(root, Record)
        return root


def of(view: View) -> tuple[dict[str, Data], list[Problem]]:
    """Return the reference data of a view by name, and what is wrong with it."""
    found: dict[str, Data] = {}
    problems: list[Problem] = []
    for one in view.references:
        data = _data(view, one)
        if isinstance(data, Problem):
            problems.append(data)
            continue
        found[one.name] = data
        problems += _of_data(view, one, data)
    return found, problems


def line_of(view: View, *keys: str) -> int:
    """Return the 1-based line of a key below `reference` in the header of a view."""
    node = yaml_text.compose(header_of(view.text))
    assert node is not None  # it has been parsed
    return spec.line_of(node, ["reference", *keys])


def _data(view: View, one: Reference) -> Data | Problem:
    said = one.spec
    if said.kind == "table":
        assert said.table is not None
        table = said.table if "." in said.table else f"public.{said.table}"
        return Data(one.name, _schema(one), said.key, table, _refresh(one))
    if said.kind == "contract":
        return _of_contract(view, one)
    schema = _schema(one)
    rows = csv_rows.read(one.text, schema, said.key) if one.text is not None else None
    return Data(one.name, schema, said.key, file=one.file, rows=rows)


def _of_contract(view: View, one: Reference) -> Data | Problem:
    """Return the data in another contract's table in PostgreSQL: its columns without parts, as they are there."""
    line, name = line_of(view, one.name, "contract"), one.spec.contract
    if one.contract is None:
        what = f"there is no contract {name}, or it cannot be read"
        return Problem(Rule.reference, what, "correct the name, or that contract", line, 1)
    rows = one.contract.rows
    sink = next((sink for sink in rows.sinks if sink.kind == one.spec.store), None)
    if sink is None:
        what = f"the contract {name} has no table in {one.spec.store}"
        return Problem(Rule.reference, what, "name a contract that has one", line, 1)
    schema, said = rows.value.schema, one.contract.spec.masks
    there = plan.of(said, schema, sink.kind)
    columns: dict[str, Any] = {}
    for own in rows.value.record.fields:
        column = masked.field(schema, own, there.fields.get(own.name) if there is not None else None)
        kind = _as_json(schema, column.type) if column is not None else None
        if column is not None and kind is not None:
            nullable = nullability(schema, column.type)[1] and own.name not in sink.key
            columns[own.name] = ["null", kind] if nullable else kind
    if sink.appends or not set(sink.key) <= columns.keys():
        what = f"{sink.qualified} of {name} has a primary key ({', '.join(sink.key)}) that a view cannot join on"
        return Problem(Rule.reference, what, "name a table whose primary key is of fields alone", line, 1)
    found = _parsed(one.name, json.dumps(columns))
    masks = {
        store: {path: said[rule].mask for path, _, rule in plan.masked_fields(said, schema, store) if path in columns}
        for store in ROOMS
    }
    key, stored = tuple(sink.key), masks[sink.kind]
    return Data(one.name, found, key, sink.qualified, _refresh(one), masks=masks, stored=stored)


def _as_json(schema: Schema, node: AnyType) -> Any:
    """Return the type of a column in Avro's JSON; None if it has parts, or is of a kind that no reference has."""
    found, _ = nullability(schema, node)
    if isinstance(found, Enum):
        return "string"
    if not isinstance(found, Primitive) or found.type == "null" or type_name(found) in types.REFUSED:
        return None
    if found.logical is None:
        return found.type
    said = {"type": found.type, "logicalType": found.logical.name}
    if found.logical.name == "decimal":
        precision, scale = decimal_digits(found)
        return {**said, "precision": precision, "scale": scale} if precision <= types.MOST_DIGITS else None
    return said


def _refresh(one: Reference) -> int:
    return REFRESH if one.spec.refresh is None else one.spec.refresh


def _schema(one: Reference) -> Schema:
    return _parsed(one.name, json.dumps(one.spec.columns))


@lru_cache(maxsize=1_000)
def _parsed(name: str, columns: str) -> Schema:
    return schema_of(name, json.loads(columns))


def _of_data(view: View, one: Reference, data: Data) -> Iterator[Problem]:
    if one.spec.csv is not None and data.rows is None:
        line = line_of(view, data.name, "csv")
        what = f"there is no file {one.file}"
        if not one.file:
            what = f"{one.spec.csv} is not the path of a .csv file inside of the folder of the contracts"
        yield Problem(Rule.reference, what, "write its path, as seen from the SQL file", line, 1)
    for fault in data.rows.faults if data.rows is not None else ():
        yield Problem(Rule.reference, fault.what, fault.fix, fault.line, 1, file=data.file)
    for name in data.key:
        node, _ = nullability(data.schema, data.record.by_name[name].type)
        if not types.is_key(data.schema, node):
            what = f"{name}, {type_name(node)}, is in the key of {data.name}"
            line = line_of(view, data.name, "key")
            yield Problem(Rule.reference, what, f"use a type of these: {', '.join(sorted(types.KEYS))}", line, 1)


def said(view: View) -> tuple[object, ...]:
    """Return what, besides its text, decides which data a view joins."""
    return tuple(
        (one.name, to_json(one.schema), one.key, one.table, reference.text, one.masks)
        for reference in view.references
        if isinstance(one := _data(view, reference), Data)
    )


def changes(old: Data, new: Data) -> tuple[int, int, int]:
    """Return how many rows of a CSV are new, are gone, and have other values in the columns that both have."""
    was, now = _by_key(old), _by_key(new)
    both = old.record.by_name.keys() & new.record.by_name.keys()
    other = sum(1 for key in was.keys() & now.keys() if any(was[key][name] != now[key][name] for name in both))
    return len(now.keys() - was.keys()), len(was.keys() - now.keys()), other


def _by_key(data: Data) -> dict[tuple[object, ...], Mapping[str, object]]:
    rows = data.rows.rows if data.rows is not None else ()
    return {tuple(row[name] for name in data.key): row for row in rows}
