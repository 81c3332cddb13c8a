"""What the header of a view names besides its tables: files with reference data, and other contracts.

It reads headers that today's rules refuse too, as far as they say it.  Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.header import header_of

#: The ending of a file with reference data.
ENDING: Final = ".csv"


def beside_view(view: str, name: str) -> str:
    """Return the path of a file that a view names, below the folder of the contracts; empty if it is not in there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(view), name))
    is_inside = not path.startswith(("../", "/")) and path not in ("..", ".")
    return path if is_inside and path.endswith(ENDING) else ""


@lru_cache(maxsize=20_000)
def files_of(text: str, path: str) -> frozenset[str]:
    """Return the files with reference data of a view.

    Args:
        text: of the view.
        path: of the view, below the folder of the contracts.
    """
    named = (one.get("csv") for one in _references(text))
    return frozenset(file for one in named if isinstance(one, str) and (file := beside_view(path, one)))


@lru_cache(maxsize=20_000)
def contracts_of(text: str) -> frozenset[str]:
    """Return the names of other contracts whose tables a view joins."""
    return frozenset(name for one in _references(text) if isinstance(name := one.get("contract"), str))


def _references(text: str) -> Iterator[Mapping[Any, Any]]:
    header = header_of(text)
    if "reference" not in header:
        return
    try:
        document = yaml_text.load(header)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    found = document.get("reference") if isinstance(document, dict) else None
    for one in found.values() if isinstance(found, dict) else ():
        if isinstance(one, dict):
            yield one
