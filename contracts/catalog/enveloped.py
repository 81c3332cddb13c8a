"""Checks a contract whose rows are in an envelope, before anything looks at the rows.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.catalog import envelope
from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.places import position_of
from avro_data_contracts.contracts.errors import ConfigurationError


def check(contract: Contract) -> None:
    """Check that the value is the envelope that contract.yaml names.  A contract without one passes.

    Raises:
        ConfigurationError: it is not, or contract.yaml contradicts it.
    """
    if contract.envelope is None:
        return
    if found := envelope.flaw(contract.value.schema):
        file, line, _ = position_of(contract.value, found.node)
        raise ConfigurationError(f"envelope: {found.what}", file=file, line=line, fix=found.fix)
    if "tombstones" in contract.said and contract.spec.tombstones is Tombstones.reject:
        raise ConfigurationError(
            f"tombstones: reject contradicts `envelope: {contract.envelope}`, in which a delete deletes its row, and "
            "so does the tombstone behind it",
            file=contract.file,
            path="tombstones",
            fix="remove it",
        )
