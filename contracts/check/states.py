"""An earlier state of the files of the contracts, in git or in a folder, and the part of it that a change concerns.

No contract is read here: `contracts.check.baselines` does that, for as much as the change concerns.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog import excerpt
from avro_data_contracts.contracts.catalog.folder import (
    CONTRACT_FILE,
    HIDDEN,
    Folder,
    decoded,
    heads_of_view,
    is_contract_file,
    is_head,
    read_folder,
    references_among,
    views_among,
)
from avro_data_contracts.contracts.catalog.view_references import ENDING
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history import files as file_history
from avro_data_contracts.contracts.history.git import Commit, Repository
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.project import Project

_NOTHING: Mapping[str, str] = {}


class State(Protocol):
    """An earlier state of the folder of the contracts."""

    @property
    def label(self) -> str:
        """The name of the state in messages."""

    @property
    def shown(self) -> str:
        """The name of its folder in messages."""

    def read(self, known: Mapping[str, str] = _NOTHING) -> Folder:
        """Read its files.  `known`: path -> text of files that are probably the same, and need not be read again."""

    def submodules(self) -> tuple[str, ...]:
        """The submodules in the folder, as messages show them; their files are in other repositories."""


@dataclass(frozen=True)
class Part:
    """The files of two states that a change concerns.

    Attributes:
        now, before: the files of the two.
        was_empty: whether the whole earlier state has no contract.
        elsewhere: submodules, whose contracts are in another repository.
    """

    now: Folder
    before: Folder
    was_empty: bool = False
    elsewhere: tuple[str, ...] = ()

    @property
    def outside(self) -> frozenset[str]:
        """The names of the contracts that are the same in both, and that the change does not concern."""
        return self.now.outside

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare, and nothing to say about what cannot be read."""
        faults = (*self.now.faults, *self.before.faults, *self.now.almost, *self.elsewhere)
        return not (self.now.texts or self.before.texts or faults) and bool(self.outside)


def whole(now: Folder, state: State | None) -> Part:
    """Return all files of now and of an earlier state; None: of the registry, which has no files."""
    if state is None:
        return Part(now, Folder({}))
    before = state.read(now.texts)
    # What a sparse checkout hides is not removed.
    before = before.only(path for path in before.texts if now.unread.get(path) != HIDDEN)
    return Part(now, before, was_empty=not any(map(is_head, before.texts)), elsewhere=state.submodules())


def concerned(now: Folder, state: State | None) -> Part:
    """Return the files that the change since an earlier state concerns; all if that is the registry's."""
    part = whole(now, state)
    before = part.before
    if state is None or now.defaults != before.defaults:
        return part
    unread = {path for files in (now, before) for path in files.paths_of_faults}
    changed = {path for path in {*now.texts, *before.texts} if now.texts.get(path) != before.texts.get(path)}
    was = {path: before.texts[path] for path in changed if path in before.texts}
    paths = excerpt.of_change(now.texts, was, changed | unread)
    return replace(part, now=now.only(paths), before=before.only(paths))


class FolderState:
    """The files of another folder, e.g. of a second clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def label(self) -> str:
        return str(self.folder)

    @property
    def shown(self) -> str:
        return str(self.folder)

    def read(self, known: Mapping[str, str] = _NOTHING) -> Folder:
        return read_folder(self.folder)

    def submodules(self) -> tuple[str, ...]:
        """None: those that are not checked out are faults of the folder."""
        return ()


class GitState:
    """The files at a commit.

    Args:
        folder: where they are now.
        name: of the commit in messages.
        is_merge_base: the commit is where HEAD branched off `name`.
        below: their folder at the commit; None: the same as now, or where they were moved from.
        present: the paths that they have now.
    """

    def __init__(
        self,
        repository: Repository,
        folder: Path,
        commit: Commit,
        name: str,
        present: Iterable[str],
        below: str | None = None,
        *,
        is_merge_base: bool = False,
    ) -> None:
        self.repository = repository
        self.folder = folder
        self.commit = commit
        self.name = name
        self.is_merge_base = is_merge_base
        self._below = None if below is None else posixpath.normpath(below).removeprefix(".")
        self._present = frozenset(present)

    @classmethod
    def of(cls, folder: Path, ref: str | None, present: Iterable[str]) -> GitState:
        """At `ref`, or at `REF:DIR` if the folder had another name; None: where HEAD branched off the default branch
        of origin."""
        repository = Repository(folder)
        if ref is not None:
            name, colon, path = ref.partition(":")
            commit = repository.commit(name)
            label = _label(name, commit) + (f" in {path}" if path else "")
            return cls(repository, folder, commit, label, present, path.strip("/") if colon else None)
        base = repository.default_base()
        commit = repository.merge_base(base)
        return cls(repository, folder, commit, f"{base} ({commit.short})", present, is_merge_base=True)

    @property
    def label(self) -> str:
        """The name of the commit, and how it was found."""
        return f"the merge base with {self.name}" if self.is_merge_base else self.name

    @cached_property
    def below(self) -> str:
        """The folder of the contracts at the commit, from the top of the repository.

        Raises:
            ConfigurationError: the folder in `--against` has no contracts, or the folder had another name that
                cannot be found out.
        """
        if self._below is not None:
            if not self._has_contracts(self._below):
                raise ConfigurationError(
                    f"{self.label} has no {CONTRACT_FILE}{self.told_elsewhere()}",
                    where="--against",
                    fix="name a folder that has contracts: --against REF:DIR",
                )
            return self._below
        here = self.repository.relative(self.folder)
        if self._has_contracts(here):
            return here
        before = self.repository.files(self.commit, "", is_head)
        gone = sorted(path for path in before if not (self.repository.top / path).exists())
        roots = file_history.moved_from(gone, [path for path in self._present if is_head(path)])
        if len(roots) == 1:
            self.name += f" in {roots[0] or 'its top folder'}"
            return roots[0]
        if gone:
            raise ConfigurationError(
                f"{self.label} has no contracts in {self.folder}, but has others that are gone now: {few(gone)}",
                where="--against",
                fix="name the folder they were in: --against REF:DIR; or use --against registry",
            )
        return here

    @cached_property
    def shown(self) -> str:
        if self.below == self.repository.relative(self.folder):
            return self.folder.as_posix()
        return Path(os.path.relpath(self.repository.top / self.below)).as_posix()

    @cached_property
    def project(self) -> Project:
        """What `contracts.toml` said at the commit: the nearest one around the folder.

        Of one that cannot be read, what it says now, so that a change can repair it.
        """
        below = PurePosixPath(self.below or ".")
        for path in (str(PurePosixPath(one, project.FILE)) for one in (below, *below.parents)):
            data = self.repository.text(self.commit, path)
            if data is not None:
                try:
                    return project.parse(data, self.repository.top / path)
                except ConfigurationError:
                    return self._now
        return Project()

    def read(self, known: Mapping[str, str] = _NOTHING) -> Folder:
        outside: list[ConfigurationError] = []
        prefix = f"{self.below}/" if self.below else ""

        def is_read(path: str) -> bool:
            return is_contract_file(path) or path.endswith(ENDING) or bool(heads_of_view(path.removeprefix(prefix)))

        files = self.repository.files(self.commit, self.below, is_read, outside.append)
        wanted = {path[len(prefix) :]: blob for path, blob in sorted(files.items())}
        views = views_among(wanted)
        data = {path: blob for path, blob in wanted.items() if path.endswith(ENDING)}
        wanted = {path: blob for path, blob in wanted.items() if is_contract_file(path) or path in views}
        ignored = self._ignored({**wanted, **data})
        wanted = {path: blob for path, blob in wanted.items() if path not in ignored}
        shown = {one: PurePosixPath(self.shown, one.file[len(prefix) :]).as_posix() for one in outside}
        faults = [ConfigurationError(one.what, file=file, fix=one.fix) for one, file in shown.items()]
        found = self._texts(wanted, known, faults)
        named = [path for path in references_among(found) if path in data and path not in ignored]
        found |= self._texts({path: data[path] for path in named}, known, faults)
        found = dict(sorted(found.items()))
        return Folder(found, faults=tuple(faults), defaults=self.project.defaults, root=self.shown)

    def _texts(
        self, wanted: Mapping[str, str], known: Mapping[str, str], faults: list[ConfigurationError]
    ) -> dict[str, str]:
        """The texts of blobs by path; a fault for each that is not UTF-8."""
        same = {path: known[path] for path, blob in wanted.items() if path in known and _is(known[path], blob)}
        blobs = self.repository.blobs(blob for path, blob in wanted.items() if path not in same)
        found = {}
        for path, blob in wanted.items():
            try:
                found[path] = same[path] if path in same else decoded(blobs[blob])
            except UnicodeDecodeError:
                faults.append(
                    ConfigurationError("the file is not UTF-8", file=PurePosixPath(self.shown, path).as_posix())
                )
        return found

    def _ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """The files that contracts.toml leaves out: now, unless that hides a contract that was there."""
        now = {path for path in paths if self._now.ignores(self.folder / path)}
        then = {path for path in paths if self.project.ignores(self.repository.top / self.below / path)}
        return frozenset(then if any(is_head(path) for path in now - then) else now)

    def submodules(self) -> tuple[str, ...]:
        return tuple(
            PurePosixPath(self.shown, PurePosixPath(path).relative_to(self.below)).as_posix()
            for path in self.repository.submodules(self.commit, self.below)
            if not self._now.ignores(self.folder / PurePosixPath(path).relative_to(self.below))
        )

    def told_elsewhere(self) -> str:
        """The contracts in other folders, in words."""
        found = sorted(self.repository.files(self.commit, "", is_head))
        return f"; it has {few(found)}" if found else ""

    def _has_contracts(self, below: str) -> bool:
        return bool(self.repository.files(self.commit, below, is_head))

    @cached_property
    def _now(self) -> Project:
        return project.find(self.folder)


def state(against: str | None, folder: Path, present: Iterable[str]) -> GitState | FolderState | None:
    """The state that `--against` names: a folder, a git ref, or `REF:DIR`; None for that of the registry.

    Args:
        present: the paths of the files below `folder` now.

    Raises:
        ConfigurationError: both a folder and a ref have that name, or it names nothing to compare with.
    """
    if against == "registry":
        return None
    if against is None:
        return GitState.of(folder, None, present)
    if not against.strip():
        raise ConfigurationError(
            "the value is empty, so there is nothing to compare with",
            where="--against",
            fix="name a git ref, a folder, or registry",
        )
    other = Path(against)
    if not other.is_dir():
        return GitState.of(folder, against, present)
    if ref := _ref_of(folder, against):
        raise ConfigurationError(
            f"{against} is both a folder and a git ref",
            where="--against",
            fix=f"choose one: ./{against} or {ref}",
        )
    if folder.resolve().is_relative_to(other.resolve()):
        raise ConfigurationError(
            f"{against} contains {folder} itself, so there is nothing to compare with",
            where="--against",
            fix="name a git ref, another folder, or registry",
        )
    return FolderState(other)


def _ref_of(folder: Path, name: str) -> str:
    """The full name of the ref; empty if there is no such ref, or no git repository."""
    try:
        return Repository(folder).names(name)
    except ConfigurationError:
        return ""


def _label(ref: str, commit: Commit) -> str:
    return ref if commit.sha.startswith(ref) else f"{ref} ({commit.short})"


def _is(text: str, blob: str) -> bool:
    """Whether the text is the content with that hash."""
    data = text.encode("utf-8")
    hasher = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
    return hasher(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == blob
