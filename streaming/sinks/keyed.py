"""The key that hashes the rows of a table: its id is in the comment of the table, beside whatever else is there."""

from __future__ import annotations

import re
from typing import Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.masks.spec import Kind
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.spec import SinkSpec

_NOTE: Final = re.compile(r" ?\[mask key ([0-9a-f]{8})\]")


def key_of(settings: Settings, contract: Contract, sink: SinkSpec) -> Key | None:
    """Return the key for the hashes of a table; None if it has none.

    Raises:
        ConfigurationError: it has some, and there is no key, or a weak one.
    """
    found = plan.of(contract.spec.masks, contract.rows.value.schema, sink.kind)
    hashes = any(one.how.kind is Kind.hash for one in plan.leaves(found))
    return Key(settings.mask_key, f"{contract.file} (masks)") if hashes else None


def noted(comment: str) -> str:
    """Return the id of the key in a comment; empty if there is none."""
    found = _NOTE.search(comment)
    return found[1] if found else ""


def with_note(comment: str, key: Key | None) -> str:
    """Return the comment with the id of this key, or with none."""
    rest = _NOTE.sub("", comment)
    if key is None:
        return rest
    note = f"[mask key {key.id}]"
    return f"{rest} {note}" if rest else note


def to_note(comment: str, key: Key | None, sink: SinkSpec) -> str | None:
    """Return the comment that the table has to get; None if it stays as it is.

    Raises:
        ConfigurationError: another key has hashed its rows.
    """
    found = noted(comment)
    if key is None or found == key.id:
        return None
    if found:
        raise ConfigurationError(
            f"another MASK_KEY (id {found}) has hashed the rows that are there; this one has the id {key.id}",
            where=f"{sink.kind} table {sink.qualified}",
            fix=f"set MASK_KEY to the key with the id {found}; or run `python -m streaming rewrite` for the "
            "contract, which writes all rows again with the new key",
        )
    return with_note(comment, key)
