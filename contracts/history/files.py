"""The files of one folder of a git repository, commit by commit.

The folder looks as if it had always had its present name, and contained no links.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping

from avro_data_contracts.contracts.catalog.folder import CONTRACT_ENDING, CONTRACT_FILE, is_contract_file
from avro_data_contracts.contracts.history.git import Blob, Commit, Repository

#: The longest chain of links to follow.
MOST_LINKS = 40

#: A commit, and what it changed: path -> blob.
_Step = tuple[Commit, Mapping[str, Blob]]


def read(repository: Repository, commit: Commit, below: str) -> Iterator[tuple[Commit, dict[str, str]]]:
    """Yield every commit that changed a contract.yaml or an .avsc below the folder, first parents only, oldest first.

    Paths are relative to the folder, even before the folder itself was renamed.  A symbolic link counts as the file
    or the folder that it leads to.

    Args:
        below: the folder at `commit`, from the top of the repository.

    Yields:
        The commit, and path -> blob hash of each file that it changed; the hash is empty for a removed file.
    """
    told: dict[str, str] = {}
    for era, targets in _eras(repository, commit, below):
        files: dict[str, Blob] = {}
        had_linked = False
        for number, (each, changed) in enumerate(era):
            files |= changed
            # A link changes with its target.  When the folder has a new name, all its files are new again.
            links = [path for path, blob in files.items() if blob.link]
            linked = _in_linked_folders(links, files, targets)
            paths = {*changed, *links}
            paths |= {*linked, *told} if number == 0 or linked or had_linked else set()
            had_linked = bool(linked)
            wanted = {path: linked.get(path, path) for path in paths if is_contract_file(path)}
            now = {path: _followed(real, files, targets) for path, real in wanted.items()}
            now = {path: blob for path, blob in now.items() if blob != told.get(path, "")}
            if now:
                told |= now
                yield each, now


def moved_from(gone: Iterable[str], present: Collection[str]) -> list[str]:
    """The folders that contract files were moved from, sorted; several, or none, unless one folder was renamed.

    Args:
        gone: removed paths, from the top of the repository.
        present: the paths that replace them, from their folder.
    """
    found = set()
    for path in gone:
        parts = path.split("/")
        at = next((at for at in range(len(parts)) if "/".join(parts[at:]) in present), None)
        if at is not None:
            found.add("/".join(parts[:at]))
    return sorted(found)


def _eras(repository: Repository, commit: Commit, below: str) -> list[tuple[list[_Step], Mapping[str, str]]]:
    """The periods in which the folder had one name, oldest first: their commits, and the texts of links, by blob."""
    found: list[tuple[list[_Step], Mapping[str, str]]] = []
    end: Commit | None = commit
    while end is not None:
        era, texts = _era(repository, end, below)
        found.insert(0, (era, texts))
        end = repository.parent(era[0][0]) if era and below else None
        if end is not None:
            # The folder is new in this commit.  If files left another folder in the same commit, it was that one.
            gone = repository.gone(end, era[0][0], (CONTRACT_FILE, f"*{CONTRACT_ENDING}"))
            roots = moved_from((path for path in gone if not path.startswith(f"{below}/")), era[0][1].keys())
            end, below = (end, roots[0]) if len(roots) == 1 else (None, below)
    return found


def _era(repository: Repository, commit: Commit, below: str) -> tuple[list[_Step], Mapping[str, str]]:
    """Includes the targets of its links outside the folder, such as `../shared/size.avsc`."""
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
    """Convert a path from the top to one from the folder."""
    if not below or path.startswith(f"{below}/"):
        return path[len(below) + 1 :] if below else path
    return posixpath.relpath(f"/{path}", f"/{below}")


def _in_linked_folders(links: Iterable[str], files: Mapping[str, Blob], texts: Mapping[str, str]) -> dict[str, str]:
    """The files of folders that links lead to, by their path through the link; of folders elsewhere, because those
    below the contracts' folder are there under their own paths."""
    found: dict[str, str] = {}
    for link in links:
        target = _target(link, texts[files[link].hash])
        if target.startswith("../") and not is_contract_file(link):
            inside = (path for path in files if path.startswith(f"{target}/"))
            found |= {f"{link}{path[len(target) :]}": path for path in inside}
    return found


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
    """The target of the link at `path`, relative to the same place as `path`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
