"""The jars of the lock, in a cache outside the clone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from avro_data_contracts.stack.errors import ServerError
from avro_data_contracts.stack.jars.artifact import Artifact, read_lock


def cache_dir() -> Path:
    """Folder of the cache; outside the clone, so that a second clone downloads nothing."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base).resolve() / "avro-data-contracts"


def places(set_name: str) -> list[Path]:
    """Paths of one set's files in the cache, whether or not they exist, in the order of the lock."""
    return [artifact.path(cache_dir()) for artifact in read_lock() if set_name in artifact.sets]


def paths(set_name: str) -> list[Path]:
    """Paths of one set's files in the cache, in the order of the lock.

    Raises:
        ServerError: a file is not in the cache.
    """
    found = places(set_name)
    for path in found:
        if not path.exists():
            raise ServerError("this file is missing from the cache", where=str(path), fix="run `make setup`")
    return found


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(artifacts: Sequence[Artifact], cache: Path, *, verify: bool = False) -> list[Artifact]:
    """The artifacts that are not in the cache.

    A file gets its name there only after its checksum was verified, so its size is proof enough.

    Args:
        verify: also compute the checksums of the files that are there (a second or two).
    """

    def present(artifact: Artifact) -> bool:
        path = artifact.path(cache)
        if artifact.is_archive:
            return path.is_dir()
        if not path.exists() or path.stat().st_size != artifact.size:
            return False
        return not verify or sha256_of(path) == artifact.sha256

    return [artifact for artifact in artifacts if not present(artifact)]
