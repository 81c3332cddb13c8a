"""The ids of fields on pages."""

from __future__ import annotations

from avro_data_contracts.contracts.catalog.addresses import slug


def anchor(path: str, of: str = "field") -> str:
    """Return the id of a field's row.  `of`: what tells the fields of the value and of the key apart."""
    return f"{of}-{slug(path)}"
