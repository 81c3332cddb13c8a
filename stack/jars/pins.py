"""The pinned versions of `pins.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PINS_FILE = Path(__file__).parent.with_name("pins.toml")


@dataclass(frozen=True)
class JarSet:
    """What one server needs from the Java world.

    Args:
        name: of the set, e.g. `kafka`.
        roots: coordinates `group:name:version[:classifier][@ext]`.
        exclude: patterns (fnmatch) of artifact names that are not wanted.
        transitive: fetch what the roots need, too.
        provided_by: a Python package whose own jars are left out; empty for none.
        machine: the only one that it is for, as `uname -m` says it; empty for all.
        for_tests: who only runs the servers does without.
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
    """Server name to version, as `up` runs them."""
    return dict(_document()["servers"])


def image_versions(*, zookeeper: bool = False) -> dict[str, str]:
    """Docker image to tag, as docker-compose.yml, or docker-compose.zookeeper.yml, must have them."""
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
