"""Avro data contracts."""

import importlib
from typing import Any

__version__ = "0.2.0"
#: The library; docs/reference/api.md lists what is in these modules.
__all__ = ["__version__", "catalog", "errors", "registry", "settings"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for: what `contracts lint` needs is a tenth of them.
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
