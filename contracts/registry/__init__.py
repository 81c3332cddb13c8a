"""The live registry and topics: `from contracts.registry import Registry`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avro_data_contracts.contracts.registry.client import Registry as Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Imported only now: it loads `requests`, which not every command needs.
    from avro_data_contracts.contracts.registry.client import Registry

    return Registry
