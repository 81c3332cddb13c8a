"""Folders for Spark's files: it spills whole batches, which no other account may read.

Each process has its own folder (mode 0700) in each of SPARK_LOCAL_DIRS.  It is removed when the process ends; the
folder of a process that was killed is removed by the next one that starts.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from avro_data_contracts.contracts.errors import ConfigurationError

_PREFIX = "run-"


@cache
def of(parents: str) -> tuple[Path, ...]:
    """Return the folders of this process, the same at each call.

    Args:
        parents: comma-separated folders, as in Spark's own setting; created when missing.

    Raises:
        ConfigurationError: a folder is not writable.
    """
    folders = []
    for parent in (Path(one.strip()).absolute() for one in parents.split(",") if one.strip()):
        try:
            folders.append(_of(parent))
        except OSError as error:
            raise ConfigurationError(
                f"cannot hold Spark's files: {error.strerror or error}",
                where=str(parent),
                fix="set SPARK_LOCAL_DIRS to writable folders",
            ) from None
    if not folders:
        raise ConfigurationError(
            "SPARK_LOCAL_DIRS names no folder", where="environment", fix="remove it to use the default"
        )
    return tuple(folders)


def _of(parent: Path) -> Path:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # No other process may see a folder that is not locked yet.
    with _locked(parent, fcntl.LOCK_EX):
        for left in parent.glob(f"{_PREFIX}*"):
            try:
                with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    shutil.rmtree(left, ignore_errors=True)
            except OSError:  # its process is running, or it belongs to another account
                continue
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        fcntl.flock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX)  # until this process ends
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
