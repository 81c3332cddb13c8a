"""The schemas that messages name, each asked for once, for those who look at single messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.registry.client import NoGuidEndpoint, Registry
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.streaming.decode.framing import SchemaKey
from avro_data_contracts.streaming.decode.reasons import Reason


@dataclass(frozen=True)
class Known:
    """A schema that messages were written with.  `fault`: why nothing can be read with it, as reason and message."""

    schema: Schema | None
    fault: tuple[str, str] = ("", "")


class NamedSchemas:
    """Asks the registry for schemas by id or GUID."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[SchemaKey, Known] = {}

    def of(self, name: SchemaKey) -> Known:
        """Return a schema.  Raises ServiceError when the registry does not answer."""
        if name not in self._known:
            self._known[name] = self._looked_up(name)
        return self._known[name]

    def _looked_up(self, name: SchemaKey) -> Known:
        words = f"schema {'id' if isinstance(name, int) else 'GUID'} {name}"
        try:
            found = self._registry.by_id(name) if isinstance(name, int) else self._registry.by_guid(name)
        except NoGuidEndpoint:
            return Known(None, (Reason.NO_GUID_ENDPOINT, "the registry has no endpoint for GUIDs"))
        if found is None:
            return Known(None, (Reason.UNKNOWN_SCHEMA_ID, f"the registry has no {words}"))
        try:
            return Known(Snapshot(self._registry).parse(found))
        except InvalidSchema as error:
            return Known(None, (Reason.INCOMPATIBLE_SCHEMA, f"{words} is not a valid Avro schema: {error.what}"))


def contract_of(contracts: Sequence[Contract], schema: Schema | None) -> Contract | None:
    """The contract of a record, by its full name; the only one of a topic has all of its records."""
    fullname = schema.fullname if schema else ""
    named = next((one for one in contracts if fullname in one.value.names), None)
    return named or (contracts[0] if len(contracts) == 1 and schema else None)
