"""Download the jars of the lock into the cache, in parallel; only verified files get there."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from avro_data_contracts.stack.errors import ServerError
from avro_data_contracts.stack.jars.artifact import Artifact, read_lock
from avro_data_contracts.stack.jars.cache import cache_dir, missing, sha256_of
from avro_data_contracts.stack.jars.ivy import Download, Ivy
from avro_data_contracts.stack.jars.pins import jar_sets

_PROCESSES = 4
_WORK_PREFIX = "fetch-"
_FIX = (
    "check the network (behind a proxy set HTTPS_PROXY; behind one that inspects TLS also set SSL_CERT_FILE to its "
    "certificates), then run the same command again; the jars that have arrived are kept"
)


def fetch(say: Callable[[str], None], *, only: str = "", verify: bool = False) -> int:
    """Download all artifacts that this machine needs and the cache lacks; returns how many.

    Args:
        say: prints a line.
        only: name of a set to fetch; empty for all sets except those for tests.
        verify: also check the SHA-256 of the files that are already in the cache.
    Raises:
        ServerError: some could not be fetched, or do not match the lock; the message names them.
    """
    cache = cache_dir()
    here = {one.name for one in jar_sets() if one.machine in ("", platform.machine()) and not one.for_tests}
    sets = {only} if only else here
    artifacts = [artifact for artifact in read_lock() if not sets.isdisjoint(artifact.sets)]
    wanted = missing(artifacts, cache, verify=verify)
    if not wanted:
        return 0
    total = sum(artifact.size for artifact in wanted)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(
            f"the cache folder cannot be created ({error.strerror})",
            where=str(cache),
            fix="set XDG_CACHE_HOME to a folder that you can write to",
        ) from None
    free = shutil.disk_usage(cache).free
    if free < 2 * total:
        raise ServerError(
            f"the disk is too full: {_megabytes(free)} free, {_megabytes(2 * total)} needed",
            where=str(cache),
            fix="make room, or set XDG_CACHE_HOME to a folder on a larger disk",
        )
    with _alone(cache, say):
        # Another clone may have fetched them while this process waited for the lock.
        wanted = missing(wanted, cache, verify=verify)
        if not wanted:
            return 0
        say(f"fetching {len(wanted)} jars, {_megabytes(total)}, into {cache}")
        problems = _download(wanted, cache, say)
        if 0 < len(problems) < len(wanted):
            say(f"{len(problems)} jars did not arrive; trying them once more")
            problems = _download(list(problems), cache, say)
    if problems:
        lines = [f"{artifact.coordinates}: {why}" for artifact, why in problems.items()]
        more = f"\n... and {len(lines) - 8} more" if len(lines) > 8 else ""
        raise ServerError(
            f"{len(lines)} of {len(wanted)} jars could not be fetched",
            detail="\n".join(lines[:8]) + more,
            fix=_FIX,
        )
    say(f"fetched {len(wanted)} jars")
    return len(wanted)


def _download(wanted: Sequence[Artifact], cache: Path, say: Callable[[str], None]) -> dict[Artifact, str]:
    """Run one round of downloads; returns the artifacts that did not arrive, each with the reason."""
    problems: dict[Artifact, str] = {}
    with tempfile.TemporaryDirectory(dir=cache, prefix=_WORK_PREFIX) as work:
        ivy = Ivy(Path(work))
        downloads: list[Download] = []
        try:
            for number, part in enumerate(_shares(wanted)):
                if part:
                    downloads.append(ivy.start_download(f"part-{number}", part))
            _watch(downloads, sum(artifact.size for artifact in wanted), say)
        finally:
            for download in downloads:
                download.stop()
            # Also after a failure or Ctrl-C: complete files need not be fetched again.
            for download in downloads:
                problems.update(_keep(download, cache))
    return problems


@contextmanager
def _alone(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a cache, and remove what a killed download has left behind."""
    with (cache / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another download into this cache")
            fcntl.flock(file, fcntl.LOCK_EX)
        for left in cache.glob(f"{_WORK_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _shares(wanted: Sequence[Artifact]) -> list[list[Artifact]]:
    """Split the work so that each process has about the same number of bytes; files of one module stay together."""
    modules: dict[tuple[str, str, str], list[Artifact]] = {}
    for artifact in wanted:
        at = artifact.coordinates
        modules.setdefault((at.group, at.name, at.version), []).append(artifact)
    shares: list[list[Artifact]] = [[] for _ in range(_PROCESSES)]
    # A request costs about as much time as 200 kB.
    weight = [0] * _PROCESSES
    for group in sorted(modules.values(), key=lambda group: -sum(artifact.size for artifact in group)):
        lightest = weight.index(min(weight))
        shares[lightest].extend(group)
        weight[lightest] += sum(artifact.size + 200_000 for artifact in group)
    return shares


def _watch(downloads: Sequence[Download], total: int, say: Callable[[str], None]) -> None:
    """Show progress until all processes have ended: one moving line on a terminal, otherwise a line every 5 s."""
    terminal = sys.stderr.isatty()
    last = time.monotonic()
    while any(download.running for download in downloads):
        time.sleep(0.25)
        if not terminal and time.monotonic() - last < 5:
            continue
        last = time.monotonic()
        done = min(total, sum(download.bytes_so_far() for download in downloads))
        line = f"  {_megabytes(done)} of {_megabytes(total)}, {100 * done // max(1, total)} %"
        if terminal:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            say(line)
    if terminal:
        sys.stderr.write("\r\x1b[K")


def _keep(download: Download, cache: Path) -> Iterator[tuple[Artifact, str]]:
    """Move complete files into the cache; yields the artifacts that did not arrive, each with the reason."""
    for artifact in download.artifacts:
        file = download.file_of(artifact)
        if not file.exists():
            yield artifact, download.why(artifact)
            continue
        actual = sha256_of(file)
        if actual != artifact.sha256:
            # Not a network problem: the published file or the lock has changed.
            yield artifact, f"SHA-256 is {actual}, but jars.lock has {artifact.sha256}; not used"
            continue
        _put(file, artifact, artifact.path(cache))


def _put(file: Path, artifact: Artifact, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if artifact.is_archive:
        _unpack(file)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(file.with_name("unpacked"), target)
    else:
        # Java compares the modification times of jars with those recorded in a class archive.
        os.utime(file, (0, 0))
        os.replace(file, target)


def _unpack(archive: Path) -> None:
    with ExitStack() as opened:
        inside = None
        if archive.suffix == ".jar":
            jar = opened.enter_context(zipfile.ZipFile(archive))
            inside = opened.enter_context(jar.open(next(name for name in jar.namelist() if name.endswith(".txz"))))
        tar = opened.enter_context(tarfile.open(archive, fileobj=inside))
        _extract(tar, archive.with_name("unpacked"))
    archive.unlink()


def _extract(tar: tarfile.TarFile, target: Path) -> None:
    """Unpack files that belong to this account and that only it may write, whatever the archive says."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
        return
    # Python before 3.11.4.  The filter's other checks are of hostile archives; jars.lock has the SHA-256 of this one.
    for member in tar.getmembers():
        member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
        member.mode &= 0o755
    tar.extractall(target)  # noqa: S202


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
