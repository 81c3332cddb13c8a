"""The fields of a record that are also in the message's key, or in a table's primary key."""

from __future__ import annotations

from typing import Any

from avro_data_contracts.contracts.avro.nodes import Record, Union
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.sample import plain


class KeyFields:
    """The key fields of a contract.

    Attributes:
        names: of the fields of the value.
        required: those that must not be null.
    """

    def __init__(self, contract: Contract) -> None:
        self.names = frozenset(name for sink in contract.sinks for name in sink.key_fields)
        self.required = self.names
        self._record: Record | None = None
        if contract.key is None:
            return
        self._schema = contract.key.schema
        root = self._schema.resolve(self._schema.root)
        self._values = contract.value.schema
        value = self._values.resolve(self._values.root)
        if not isinstance(root, Record) or not isinstance(value, Record):
            return
        self._record, self._value = root, value
        self.names |= root.by_name.keys() & value.by_name.keys()
        self.required |= {field.name for field in root.fields if not self._may_be_null(field.type)}

    def _may_be_null(self, node: Any) -> bool:
        node = self._schema.resolve(node)
        return isinstance(node, Union) and any(one.type == "null" for one in node.branches)

    def fit(self, record: Any) -> bool:
        """Whether the key's types take the record's values."""
        if self._record is None:
            return True
        for field in self._record.fields:
            if field.name in self._value.by_name:
                written = plain.of_type(self._values, self._value.by_name[field.name].type, record[field.name])
                if not plain.takes(self._schema, field.type, written):
                    return False
        return True
