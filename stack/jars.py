"""The jars of the lock: in the cache, verified, or fetched into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stack.artifact import Artifact, read_lock
from stack.errors import ServerError
from stack.ivy import Download, Ivy

_PROCESSES = 4
_MEND = (
    "check the network; behind a proxy set HTTPS_PROXY; behind one that inspects TLS set SSL_CERT_FILE to its "
    "certificates; then run the same command again: what has arrived is kept"
)


def cache_dir() -> Path:
    """Outside the clone, so that a second clone downloads nothing."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base).resolve() / "avro-data-contracts"


def paths(set_name: str) -> list[Path]:
    """Files of one set, in the order of the lock.

    Raises:
        ServerError: one of them is not in the cache.
    """
    found = [artifact.path(cache_dir()) for artifact in read_lock() if set_name in artifact.sets]
    for path in found:
        if not path.exists():
            raise ServerError("is not in the cache", where=str(path), mend="run `make setup`")
    return found


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(artifacts: Sequence[Artifact], cache: Path, *, verify: bool = False) -> list[Artifact]:
    """Those not in the cache.  A file gets its name there only once it is verified, so its size is proof enough;
    `verify` reads them all again (a second or two)."""

    def present(artifact: Artifact) -> bool:
        path = artifact.path(cache)
        if artifact.is_archive:
            return path.is_dir()
        if not path.exists() or path.stat().st_size != artifact.size:
            return False
        return not verify or sha256_of(path) == artifact.sha256

    return [artifact for artifact in artifacts if not present(artifact)]


def fetch(say: Callable[[str], None], *, verify: bool = False) -> int:
    """Brings every artifact of the lock into the cache; returns how many were downloaded.

    Args:
        say: prints a line.
        verify: checks the SHA-256 of what is there already, too.
    Raises:
        ServerError: some could not be fetched, or are not what the lock says; the message names them.
    """
    cache = cache_dir()
    artifacts = read_lock()
    wanted = missing(artifacts, cache, verify=verify)
    if not wanted:
        return 0
    total = sum(artifact.size for artifact in wanted)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(
            f"the cache cannot be made ({error.strerror})",
            where=str(cache),
            mend="set XDG_CACHE_HOME to a folder of yours",
        ) from None
    free = shutil.disk_usage(cache).free
    if free < 2 * total:
        raise ServerError(
            f"{_megabytes(free)} free, {_megabytes(2 * total)} needed",
            where=str(cache),
            mend="make room, or set XDG_CACHE_HOME to a folder on a larger disk",
        )
    say(f"fetching {len(wanted)} jars, {_megabytes(total)}, into {cache}")
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as work:
        ivy = Ivy(Path(work))
        downloads = [
            ivy.start_download(f"part-{number}", part) for number, part in enumerate(_shares(wanted)) if part
        ]
        try:
            _watch(downloads, total, say)
        finally:
            for download in downloads:
                download.stop()
            # After a failure or Ctrl-C as well: what has arrived whole need not be fetched again.
            problems = [problem for download in downloads for problem in _keep(download, cache)]
    if problems:
        more = f"\n... and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ServerError(
            f"{len(problems)} of {len(wanted)} jars could not be fetched",
            detail="\n".join(problems[:8]) + more,
            mend=_MEND,
        )
    say(f"fetched {len(wanted)} jars, {_megabytes(total)}")
    return len(wanted)


def _shares(wanted: Sequence[Artifact]) -> list[list[Artifact]]:
    """Splits the work so that each process has about as many bytes; the files of one module stay together."""
    modules: dict[tuple[str, str, str], list[Artifact]] = {}
    for artifact in wanted:
        at = artifact.coordinates
        modules.setdefault((at.group, at.name, at.version), []).append(artifact)
    shares: list[list[Artifact]] = [[] for _ in range(_PROCESSES)]
    # A request costs about as much as 200 kB.
    weight = [0] * _PROCESSES
    for group in sorted(modules.values(), key=lambda group: -sum(artifact.size for artifact in group)):
        lightest = weight.index(min(weight))
        shares[lightest].extend(group)
        weight[lightest] += sum(artifact.size + 200_000 for artifact in group)
    return shares


def _watch(downloads: Sequence[Download], total: int, say: Callable[[str], None]) -> None:
    """Shows progress until every process has ended: a line that moves on a terminal, a line now and then else."""
    terminal = sys.stderr.isatty()
    last = time.monotonic()
    while any(download.running for download in downloads):
        time.sleep(0.25)
        if not terminal and time.monotonic() - last < 5:
            continue
        last = time.monotonic()
        done = min(total, sum(download.bytes_so_far() for download in downloads))
        line = f"  {_megabytes(done)} of {_megabytes(total)}, {100 * done // total} %"
        if terminal:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            say(line)
    if terminal:
        sys.stderr.write("\r\x1b[K")


def _keep(download: Download, cache: Path) -> list[str]:
    """Moves what arrived whole into the cache; returns a line for each artifact that did not."""
    problems = []
    for artifact in download.artifacts:
        file = download.file_of(artifact)
        if not file.exists():
            why = download.why(artifact)
            problems.append(f"{artifact.coordinates}: {why or 'did not arrive'}")
            continue
        actual = sha256_of(file)
        if actual != artifact.sha256:
            problems.append(f"{artifact.coordinates}: SHA-256 is {actual}, pinned is {artifact.sha256}: not used")
            continue
        target = artifact.path(cache)
        target.parent.mkdir(parents=True, exist_ok=True)
        if artifact.is_archive:
            _unpack(file)
            file = file.with_name("unpacked")
        else:
            # Java compares the times of the jars with those in an archive of classes.
            os.utime(file, (0, 0))
        try:
            os.replace(file, target)
        except OSError:  # a folder that another `fetch` has put there in the meantime
            if not target.is_dir():
                raise
    return problems


def _unpack(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(archive.with_name("unpacked"), filter="data")
    archive.unlink()


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
