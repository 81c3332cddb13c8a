"""Whether the key of a message is a part of its value, so that what was checked there need not be checked again."""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import Logical, Primitive
from avro_data_contracts.contracts.catalog.contract import Contract, Subject


def is_part_of_value(contract: Contract) -> bool:
    """Whether each field of the key is one of the value too, with the same simple type; False without a key."""
    if contract.key is None:
        return False
    value = _types(contract.value)
    return all(kind is not None and value.get(name) == kind for name, kind in _types(contract.key).items())


def _types(subject: Subject) -> dict[str, tuple[str, Logical | None] | None]:
    """The type of each field; None for one that is not simple."""
    nodes = {name: subject.schema.resolve(field.type) for name, field in subject.record.by_name.items()}
    return {name: (node.type, node.logical) if isinstance(node, Primitive) else None for name, node in nodes.items()}
