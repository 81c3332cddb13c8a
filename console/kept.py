"""The contracts and their versions, kept in memory, and read again when a file or a commit changes.

A thread looks at the times of the files once a second, so that no page waits for that.  It reads the versions of a
long history commit by commit, while the pages already show the rest.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from avro_data_contracts.console.catalogue import Catalogue, Past, told_shallow
from avro_data_contracts.console.pages.versions import Versions, timelines
from avro_data_contracts.contracts.check.commits import History, Step
from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.history.git import Commit

#: The least and the most time between two looks at the files, which take at most this share of a core, seconds.
_LOOK_EVERY_S, _RARELY_S, _SHARE = 1.0, 10.0, 0.002
#: Steps after which the pages get what is read so far.
_SHOW_EVERY: Final = 20

log = structlog.get_logger("console")

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Snapshot:
    """What the pages show.

    Attributes:
        fault: why the folder cannot be read now; the catalogue is then that of before.
        commits: the commits of the contracts, the newest first, as choices for a comparison.
    """

    catalogue: Catalogue | None = None
    past: Past = field(default_factory=Past)
    fault: str = ""


class Kept:
    """The newest snapshot of a folder of contracts."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._snapshot = Snapshot(past=Past(notes=("The versions are being read.",)))
        self._seen: Signature | None = None
        self._head: Commit | None = None
        self._committed: Versions = {}
        self._last = ""
        #: CPU time of the last look at the files, seconds.
        self._spent_s = 0.0
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="contracts", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    def start(self) -> None:
        """Read the contracts, and keep reading them in a thread.

        Raises:
            ContractsError: the folder cannot be read at all.
        """
        self._seen = signature(self.folder)
        catalogue = Catalogue.read(self.folder)
        catalogue.prepare()
        self._snapshot = replace(self._snapshot, catalogue=catalogue)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def look(self) -> None:
        """Read what has changed since the last look."""
        with self._lock:
            began = time.thread_time()
            found = signature(self.folder)
            self._spent_s = time.thread_time() - began
            if found != self._seen or self._snapshot.fault:
                self._seen = found
                try:
                    catalogue = Catalogue.read(self.folder)
                    catalogue.prepare()
                    self._snapshot = replace(self._snapshot, catalogue=catalogue, fault="")
                except ContractsError as error:
                    self._snapshot = replace(self._snapshot, fault=str(error))
                    return
                self._read_versions()

    def _run(self) -> None:
        self._tried(self._read_versions)
        while not self._closed.wait(min(max(_LOOK_EVERY_S, self._spent_s / _SHARE), _RARELY_S)):
            self._tried(self.look)

    def _tried(self, work: Callable[[], None]) -> None:
        """Do it.  An unexpected error is logged and shown on the pages, which keep what they have."""
        try:
            work()
        except Exception as error:
            log.error("the contracts could not be read", why=type(error).__name__)
            fault = f"reading them failed ({type(error).__name__}); the console's log says more"
            self._snapshot = replace(self._snapshot, fault=fault)

    def _read_versions(self) -> None:
        catalogue = self._snapshot.catalogue
        assert catalogue is not None
        try:
            history = History(self.folder, tuple(catalogue.files.texts))
            self._read_commits(history)
            uncommitted = list(history.steps((), working_tree=True))
        except ContractsError as error:
            self._snapshot = replace(self._snapshot, past=Past(notes=(f"There are no versions: {error}",)))
            return
        notes = told_shallow() if history.is_shallow else ()
        self._snapshot = replace(self._snapshot, past=Past(timelines(uncommitted, {}, self._committed), notes))

    def _read_commits(self, history: History) -> None:
        """Read the commits that are new since the last time; all if those of then are no longer there."""
        if history.head == self._head:
            return
        commits = history.commits()
        shas = [one.sha for one in commits]
        if self._head is None or self._last not in shas:
            self._committed, start = {}, 0
        else:
            start = shas.index(self._last) + 1
        titles = history.titles(commits[start:])
        steps: list[Step] = []
        before = commits[start - 1] if start else None
        for number, step in enumerate(history.steps(commits[start:], before), start=1):
            if self._closed.is_set():
                return
            steps.append(step)
            if number % _SHOW_EVERY == 0:
                notes = (f"The versions are being read: {number:,} of {len(commits) - start:,} commits.",)
                past = Past(timelines(steps, titles, self._committed), notes)
                self._snapshot = replace(self._snapshot, past=past)
        self._committed = timelines(steps, titles, self._committed)
        self._head, self._last = history.head, shas[-1] if shas else ""


def signature(folder: Path) -> Signature:
    """Return what changes whenever a file below `folder`, or the commit, does: paths with times and sizes."""
    # Once a second, and a folder may have thousands of files: no objects are made for paths.
    found: list[tuple[str, int, int]] = []
    waiting, seen = [str(folder)], set[tuple[int, int]]()
    while waiting:
        here = waiting.pop()
        try:
            told = os.stat(here)
            if (told.st_dev, told.st_ino) in seen:  # a link leads to a folder around it
                continue
            seen.add((told.st_dev, told.st_ino))
            with os.scandir(here) as entries:
                names = [entry for entry in entries if entry.name != ".git"]
        except OSError:
            found.append((here, -1, -1))
            continue
        for entry in names:
            try:
                # As the contracts are read: links are followed.
                if entry.is_dir():
                    waiting.append(entry.path)
                    continue
                told = entry.stat()
            except OSError:
                found.append((entry.path, -1, -1))
            else:
                found.append((entry.path, told.st_mtime_ns, told.st_size))
    for around in (folder.absolute(), *folder.absolute().parents):
        found.append(_of_file(around / "contracts.toml"))
        if (around / ".git").exists():
            kept = _git_folder(around / ".git")
            found += [_of_file(kept / "logs" / "HEAD"), _of_file(kept / "HEAD")]
            break
    return tuple(sorted(found))


def _git_folder(path: Path) -> Path:
    """The folder that git keeps of a work tree; of a second one, the file `.git` says where it is."""
    if path.is_dir():
        return path
    return path.parent / path.read_text(encoding="utf-8", errors="replace").partition("gitdir:")[2].strip()


def _of_file(path: Path) -> tuple[str, int, int]:
    try:
        told = path.stat()
    except OSError:
        return (str(path), -1, -1)
    return (str(path), told.st_mtime_ns, told.st_size)
