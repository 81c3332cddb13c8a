"""Avro data contracts."""

import importlib
from typing import Any

from avro_data_contracts import __version__ as __version__

#: The library; docs/reference/api.md lists what is in these modules.
__all__ = ["__version__", "catalog", "errors", "registry", "settings"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for: what `contracts lint` needs is a tenth of them.
    if name in __all__:
        return importlib.import_module(f"avro_data_contracts.contracts.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
