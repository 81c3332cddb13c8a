"""Records made from a contract: they satisfy its schema and its rules, or are refused for one reason.

Use it as `from avro_data_contracts.contracts import sample`, then `sample.records(…)`.  It needs the extra `sample`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avro_data_contracts.contracts.sample.valid import records as records

__all__ = ["records"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Imported only now: most of what imports this room needs one of its modules, not all.
    from avro_data_contracts.contracts.sample import valid

    return getattr(valid, name)
