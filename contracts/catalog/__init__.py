"""Contracts, and the files that define them: `from contracts import catalog`, then `catalog.load_one(…)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract as Contract
    from avro_data_contracts.contracts.catalog.loading import Catalog as Catalog
    from avro_data_contracts.contracts.catalog.loading import from_files as from_files
    from avro_data_contracts.contracts.catalog.loading import load as load
    from avro_data_contracts.contracts.catalog.loading import load_one as load_one

__all__ = ["Catalog", "Contract", "from_files", "load", "load_one"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Imported only now, because `loading` needs modules that import modules of this room.
    from avro_data_contracts.contracts.catalog import loading

    return getattr(loading, name)
