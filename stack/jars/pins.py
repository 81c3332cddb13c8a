"""The pinned versions in `pins.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PINS_FILE = Path(__file__).parent.with_name("pins.toml")


@dataclass(frozen=True)
class JarSet:
    """The jars that one server needs.

    Args:
        name: name of the set, e.g. `kafka`.
        roots: coordinates `group:name:version[:classifier][@ext]`.
        exclude: patterns (fnmatch) of artifact names to leave out.
        transitive: also fetch what the roots depend on.
        provided_by: a Python package whose own jars are left out; empty for none.
        machine: the only kind of machine that needs the set, as `uname -m` prints it; empty for all.
        for_tests: only the tests need the set, not the servers.
    """

    name: str
    roots: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    transitive: bool = True
    provided_by: str = ""
    machine: str = ""
    for_tests: bool = False


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(PINS_FILE.read_text(encoding="utf-8"))


def server_versions() -> dict[str, str]:
    """Version of each server that `up` runs, by name."""
    return dict(_document()["servers"])


def image_versions(*, zookeeper: bool = False) -> dict[str, str]:
    """Tag of each Docker image that docker-compose.yml, or docker-compose.zookeeper.yml, must use."""
    return dict(_document()["images-zookeeper" if zookeeper else "images"])


def jar_sets() -> tuple[JarSet, ...]:
    """The sets of jars, in the order of the file."""
    return tuple(
        JarSet(
            name=name,
            roots=tuple(table["roots"]),
            exclude=tuple(table.get("exclude", ())),
            transitive=table.get("transitive", True),
            provided_by=table.get("provided_by", ""),
            machine=table.get("machine", ""),
            for_tests=table.get("for_tests", False),
        )
        for name, table in _document()["jars"].items()
    )
