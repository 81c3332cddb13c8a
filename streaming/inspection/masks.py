"""Which parts of a record are personal data, whoever wrote it.

A part is personal if a schema tags its field or its type: the schema that it was written with, the contract's, or
any version of the contract in the registry.  It is also personal if `masks` of the contract masks it in some store.
The writer's record is laid beside each of these schemas: fields meet by name or alias, as far down as both go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Field, Map, Named, Node, Record, Schema
from avro_data_contracts.contracts.avro.nodes import Union as UnionNode
from avro_data_contracts.contracts.catalog import envelope
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.snapshot import Snapshot

PERSONAL: Final = "PII"

#: A place in a schema that lies beside a place of the writer's.
Beside = tuple[Schema, AnyType]
#: A field, whether it is tagged anywhere, and what lies beside its type.
Laid = tuple[Field, bool, tuple[Beside, ...]]


class Masks:
    """Says what is personal in records that belong to these schemas.  Pure.

    Args:
        schemas: of one contract or several, in all their versions.
        chosen: fields of these schemas that are personal without a tag.
    """

    def __init__(self, schemas: Iterable[Schema] = (), chosen: Iterable[Field] = ()) -> None:
        self.roots: tuple[Beside, ...] = tuple((one, one.root) for one in schemas)
        self.chosen: tuple[Field, ...] = tuple(chosen)
        self._chosen = {id(one) for one in self.chosen}

    def is_masked(self, schema: Schema, node: AnyType, beside: Sequence[Beside]) -> bool:
        """Whether a type is tagged here, or in a schema beside it; of a union: whether one of its branches is."""
        return any(map(_tagged, _parts(schema, node))) or any(
            _tagged(part) for other, place in beside for part in _alike(other, place, node)
        )

    def fields(self, record: Record, beside: Sequence[Beside]) -> tuple[Laid, ...]:
        """Return the fields of a record, whether each is tagged anywhere, and what lies beside its type."""
        found = []
        for field in record.fields:
            same = [
                (other, one)
                for other, place in beside
                for part in _alike(other, place, record)
                if isinstance(part, Record)
                for one in part.fields
                if not _names(field).isdisjoint(_names(one))
            ]
            is_tagged = any(_tagged(one) or id(one) in self._chosen for one in (field, *(one for _, one in same)))
            found.append((field, is_tagged, tuple((other, one.type) for other, one in same)))
        return tuple(found)

    def items(self, node: Array | Map, beside: Sequence[Beside]) -> tuple[Beside, ...]:
        """Return what lies beside the items of an array, or the values of a map."""
        return tuple(
            (other, part.items if isinstance(part, Array) else part.values)
            for other, place in beside
            for part in _alike(other, place, node)
            if isinstance(part, (Array, Map))
        )

    def covers(self, schema: Schema, path: Sequence[Field]) -> bool:
        """Whether a path of fields from the root of a schema leads to, or through, personal data."""
        node, beside = schema.root, self.roots
        for field in path:
            if self.is_masked(schema, node, beside):
                return True
            records = [one for one in _parts(schema, node) if isinstance(one, Record) and field in one.fields]
            for one, is_tagged, further in (each for record in records for each in self.fields(record, beside)):
                if one is field:
                    if is_tagged:
                        return True
                    node, beside = field.type, further
        return self.is_masked(schema, node, beside)

    def any_in(self, schema: Schema) -> bool:
        """Whether anything in records of a schema is personal."""
        waiting, seen = [(schema.root, self.roots)], set()
        while waiting:
            node, beside = waiting.pop()
            if self.is_masked(schema, node, beside):
                return True
            for part in _parts(schema, node):
                key = (id(part), tuple(id(place) for _, place in beside))
                if key in seen:
                    continue
                seen.add(key)
                if isinstance(part, Record):
                    for field, is_tagged, further in self.fields(part, beside):
                        if is_tagged:
                            return True
                        waiting.append((field.type, further))
                elif isinstance(part, (Array, Map)):
                    inner = part.items if isinstance(part, Array) else part.values
                    waiting.append((inner, self.items(part, beside)))
        return False


def of_values(registry: Registry, contracts: Iterable[Contract]) -> Masks:
    """Return what is personal in the values of contracts, in every version that the registry has.

    Raises:
        ServiceError: the registry does not answer.
    """
    schemas: list[Schema] = []
    chosen: list[Field] = []
    for contract in contracts:
        versions = list(_versions(registry, contract.value.name, contract.value.schema))
        schemas += versions
        chosen += chosen_of(contract.spec.masks, versions)
    return Masks(schemas, chosen)


def chosen_of(specs: Sequence[MaskSpec], versions: Iterable[Schema]) -> Iterator[Field]:
    """Yield the fields of a contract's schemas that its `masks` are about.  Pure."""
    for schema in versions:
        wanted = specs
        if envelope.is_one(schema):  # the rules are about the rows inside
            wanted = [
                one.model_copy(update={"field": f"{side}.{one.field}"} if one.field is not None else {})
                for one in specs
                for side in (envelope.AFTER, envelope.BEFORE)
            ]
        for _, field, _ in plan.masked_fields(wanted, schema):
            yield field


def of_keys(registry: Registry, contracts: Sequence[Contract]) -> Masks:
    """Return the same of their keys, where what is personal in the value is personal too."""
    keys = [
        one
        for contract in contracts
        if contract.key is not None
        for one in _versions(registry, contract.key.name, contract.key.schema)
    ]
    of_rows = of_values(registry, contracts)
    return beside_keys(keys, [schema for schema, _ in of_rows.roots], of_rows.chosen, contracts)


def beside_keys(
    keys: Iterable[Schema],
    values: Sequence[Schema],
    chosen: Iterable[Field] = (),
    contracts: Iterable[Contract] = (),
) -> Masks:
    """Return what is personal in keys, of the schemas of keys and values.  Pure.

    Args:
        chosen: fields of the values that are personal without a tag.
        contracts: whose `masks` are about the rows in envelopes.
    """
    # The key of an envelope has fields of the row in it.
    rows = [envelope.row(one) for one in values if envelope.is_one(one)]
    of_rows = [field for contract in contracts for field in chosen_of(contract.spec.masks, rows)]
    return Masks((*keys, *values, *rows), (*chosen, *of_rows))


def _versions(registry: Registry, subject: str, schema: Schema) -> Iterator[Schema]:
    yield schema
    snapshot = Snapshot(registry)
    for one in registry.all_of(subject):
        try:
            yield snapshot.parse(one)
        except InvalidSchema:
            continue  # no record can be decoded with it either


def _names(field: Field) -> set[str]:
    return {field.name, *field.aliases}


def _tagged(node: Node) -> bool:
    return PERSONAL in plan.tags_of(node)


def _parts(schema: Schema, node: AnyType) -> list[AnyType]:
    """A type, or the branches of a union."""
    node = schema.resolve(node)
    return [schema.resolve(one) for one in node.branches] if isinstance(node, UnionNode) else [node]


def _alike(schema: Schema, place: AnyType, node: AnyType) -> list[AnyType]:
    """The types at a place that a value of `node` may have there: of several records, those of its name."""
    parts = _parts(schema, place)
    if len(parts) == 1 or isinstance(node, UnionNode):
        return parts
    if isinstance(node, Record):
        records: list[AnyType] = [one for one in parts if isinstance(one, Record)]
        return [one for one in records if isinstance(one, Named) and _called(one) & _called(node)] or records
    if isinstance(node, (Array, Map)):
        return [one for one in parts if isinstance(one, type(node))]
    return [one for one in parts if not isinstance(one, (Record, Array, Map))]


def _called(node: Named) -> set[str]:
    return {one.rpartition(".")[2] for one in (node.name, *node.aliases)}
