"""Whether a contract's source gives the fields that its value has.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError


def check(contract: Contract) -> None:
    """Check the source of a contract against the schema of its value.

    Raises:
        ConfigurationError: the source does not fit the schema.
    """
    source = contract.spec.source
    if source is None:
        return
    schema = contract.value.schema
    root = schema.resolve(schema.root)
    fields = list(root.by_name) if isinstance(root, Record) else []
    fault = next(source.faults(fields), None)
    if fault is not None:
        path = ".".join(("source", *fault.keys))
        raise ConfigurationError(f"{path}: {fault.what}", file=contract.file, path=path, fix=fault.fix)
