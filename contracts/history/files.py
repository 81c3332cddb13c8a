"""The files of one folder of a git repository, commit by commit, as if the folder had always had its name and held no
links."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping

from contracts.catalog.loading import CONTRACT_FILE, is_contract_file
from contracts.history.git import Blob, Commit, Repository

#: How many links in a row are followed.
MOST_LINKS = 40

#: A commit, and what it changed: path -> blob.
_Step = tuple[Commit, Mapping[str, Blob]]


def read(repository: Repository, commit: Commit, below: str) -> Iterator[tuple[Commit, dict[str, str]]]:
    """Every commit that changed a contract.yaml or an .avsc below the folder, first parents only, oldest first.

    Paths are from the folder, also before the folder itself was renamed.  A symbolic link is the file that it leads
    to, as long as no folder on the way there is a link.

    Args:
        below: the folder at `commit`, from the top of the repository.

    Yields:
        The commit, and path -> blob hash of what it changed, empty for what it removed.
    """
    told: dict[str, str] = {}
    for era, targets in _eras(repository, commit, below):
        files: dict[str, Blob] = {}
        for number, (each, changed) in enumerate(era):
            files |= changed
            # A link changes with what it leads to.  With a new name of the folder, all of it is there anew.
            paths = {*changed, *(path for path, blob in files.items() if blob.link)}
            paths |= told.keys() if number == 0 else set()
            now = {path: _followed(path, files, targets) for path in paths if is_contract_file(path)}
            now = {path: blob for path, blob in now.items() if blob != told.get(path, "")}
            if now:
                told |= now
                yield each, now


def moved_from(gone: Iterable[str], present: Collection[str]) -> list[str]:
    """The folders that contract files went from, sorted; several, or none, where no folder was just renamed.

    Args:
        gone: paths that are no longer there, from the top of the repository.
        present: those that are there instead, from their folder.
    """
    found = set()
    for path in gone:
        parts = path.split("/")
        at = next((at for at in range(len(parts)) if "/".join(parts[at:]) in present), None)
        if at is not None:
            found.add("/".join(parts[:at]))
    return sorted(found)


def _eras(repository: Repository, commit: Commit, below: str) -> list[tuple[list[_Step], Mapping[str, str]]]:
    """The time of each name of the folder, oldest first: its commits, and the texts of the links, by blob."""
    found: list[tuple[list[_Step], Mapping[str, str]]] = []
    end: Commit | None = commit
    while end is not None:
        era, texts = _era(repository, end, below)
        found.insert(0, (era, texts))
        end = repository.parent(era[0][0]) if era and below else None
        if end is not None:
            # The folder is new in this commit.  What went from elsewhere at once, was it.
            gone = repository.gone(end, era[0][0], CONTRACT_FILE)
            roots = moved_from((path for path in gone if not path.startswith(f"{below}/")), era[0][1].keys())
            end, below = (end, roots[0]) if len(roots) == 1 else (None, below)
    return found


def _era(repository: Repository, commit: Commit, below: str) -> tuple[list[_Step], Mapping[str, str]]:
    """Also what its links lead to outside of the folder, as `../shared/size.avsc`."""
    further: set[str] = set()
    while True:
        steps: list[_Step] = [
            (each, {_from(path, below): blob for path, blob in changed.items()})
            for each, changed in repository.history(commit, [below, *sorted(further)] if below else [])
        ]
        links = [(path, blob.hash) for _, changed in steps for path, blob in changed.items() if blob.link]
        texts = {
            blob: data.decode("utf-8", "replace") for blob, data in repository.blobs(b for _, b in links).items()
        }
        targets = {posixpath.normpath(posixpath.join(below, _target(path, texts[blob]))) for path, blob in links}
        more = {one for one in targets if not one.startswith(("../", "/", f"{below}/"))} if below else set()
        if more <= further:
            return steps, texts
        further |= more


def _from(path: str, below: str) -> str:
    """A path from the top as one from the folder."""
    if not below or path.startswith(f"{below}/"):
        return path[len(below) + 1 :] if below else path
    return posixpath.relpath(f"/{path}", f"/{below}")


def _followed(path: str, files: Mapping[str, Blob], texts: Mapping[str, str]) -> str:
    """The blob that a path leads to; empty for none."""
    for _ in range(MOST_LINKS):
        found = files.get(path)
        if found is None:
            return ""
        if not found.link:
            return found.hash
        path = _target(path, texts[found.hash])
    return ""


def _target(path: str, text: str) -> str:
    """What the link at `path` names, from where `path` is from."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
