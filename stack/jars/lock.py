"""Write `jars.lock` from `pins.toml`: everything that the roots need, except what a set excludes or pyspark has."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from avro_data_contracts.stack.errors import ServerError
from avro_data_contracts.stack.jars.artifact import LOCK_FILE, Artifact, Coordinates, lock_text
from avro_data_contracts.stack.jars.cache import cache_dir, sha256_of
from avro_data_contracts.stack.jars.ivy import Ivy
from avro_data_contracts.stack.jars.java import package_dir
from avro_data_contracts.stack.jars.pins import JarSet, jar_sets

_VERSION = re.compile(r"-\d[^/]*\.jar$")


def write_lock(say: Callable[[str], None]) -> None:
    """Resolve all sets and write the lock.

    Raises:
        ServerError: Ivy could not resolve them.
    """
    sets = jar_sets()
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    say("resolving the jars of all servers; this takes minutes")
    with tempfile.TemporaryDirectory(dir=cache, prefix="lock-") as work:
        try:
            resolved = Ivy(Path(work)).resolve(sets)
        except RuntimeError as error:
            tail = "\n".join(str(error).splitlines()[-20:])
            raise ServerError(
                "Ivy could not resolve the jars", detail=tail, fix="check pins.toml and the network"
            ) from None
        users: dict[Coordinates, list[str]] = {}
        files: dict[Coordinates, Path] = {}
        for jar_set in sets:
            for coordinates, path in resolved[jar_set.name]:
                if _wanted(jar_set, coordinates):
                    users.setdefault(coordinates, []).append(jar_set.name)
                    files[coordinates] = path
        artifacts = [
            Artifact(coordinates, tuple(names), files[coordinates].stat().st_size, sha256_of(files[coordinates]))
            for coordinates, names in users.items()
        ]
    LOCK_FILE.write_text(lock_text(artifacts), encoding="utf-8")
    say(f"wrote {LOCK_FILE}: {len(artifacts)} files, {sum(a.size for a in artifacts) / 1e6:.0f} MB")


def _wanted(jar_set: JarSet, coordinates: Coordinates) -> bool:
    if coordinates.classifier in ("sources", "javadoc", "tests", "test"):
        return False
    if any(fnmatchcase(coordinates.name, pattern) for pattern in jar_set.exclude):
        return False
    return coordinates.name not in _carried_by(jar_set.provided_by)


def _carried_by(package: str) -> frozenset[str]:
    """Names of the jars in a Python package, without their versions."""
    if not package:
        return frozenset()
    return frozenset(_VERSION.sub("", path.name) for path in (package_dir(package) / "jars").glob("*.jar"))
