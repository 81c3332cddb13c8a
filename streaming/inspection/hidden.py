"""What a store should have in place of masked values: reconcile masks the events itself, in Python.

Those columns are compared that are masked as a whole; what is masked inside of JSON is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from avro_data_contracts.contracts.avro.nodes import AnyType
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.plan import Leaf
from avro_data_contracts.contracts.masks.spec import How, Kind
from avro_data_contracts.contracts.masks.values import masked
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores import nested
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.sinks.keyed import key_of

#: A path of fields, the type at its end, and its mask.
_Column = tuple[tuple[str, ...], AnyType, How]


class Hidden:
    """The masks of one table.

    Attributes:
        columns: the masked columns, without those of the key.

    Raises:
        ConfigurationError: one of them hashes, and there is no key, or a weak one.
    """

    def __init__(self, settings: Settings, contract: Contract, sink: SinkSpec) -> None:
        of_rows = contract.rows.value
        self._schema = of_rows.schema
        self._key = key_of(settings, contract, sink)
        found = plan.of(contract.spec.masks, self._schema, sink.kind)
        all_columns: dict[str, _Column] = {}
        for field in of_rows.record.fields if found is not None else ():
            _add(all_columns, field.name, (field.name,), field.type, found)
        for name, path in sink.columns.items() if found is not None else ():
            leaf = nested.leaf(self._schema, of_rows.record, path)
            assert isinstance(leaf, nested.Leaf)  # the contract was read with it
            _add(all_columns, name, leaf.names, leaf.field.type, found)
        self._of_key = {name: one for name, one in all_columns.items() if name in sink.key}
        self._others = [one for name, one in all_columns.items() if name not in sink.key]
        self.columns: tuple[str, ...] = tuple(name for name in all_columns if name not in sink.key)

    def key_of(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the record with what the store has in its primary key."""
        if not self._of_key:
            return record
        return {**record, **{name: self._masked(record, one) for name, one in self._of_key.items()}}

    def values(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what `columns` should have."""
        return tuple(self._masked(record, one) for one in self._others)

    def _masked(self, record: Mapping[str, Any], column: _Column) -> Any:
        names, node, how = column
        return masked(_at(record, names), how, self._schema, node, self._key)


def _add(
    found: dict[str, _Column], name: str, names: tuple[str, ...], node: AnyType, masks: plan.OfRecord | None
) -> None:
    one = plan.at(masks, names)
    if isinstance(one, Leaf) and one.how.kind is not Kind.drop:
        found[name] = (names, node, one.how)


def _at(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    value: Any = record
    for name in names:
        if value is None:
            return None
        value = value[name]
    return value
