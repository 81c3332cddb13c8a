"""The versions of the contracts of a folder: what each commit changed, each with the verdict of `check`.

A commit is compared with the one before it that changed a contract, by first parents.  A contract that was moved
keeps its versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.folder import Folder, heads_of_view, is_head, read_folder
from avro_data_contracts.contracts.catalog.loading import Catalog, Loaded
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.catalog.view_references import ENDING
from avro_data_contracts.contracts.check import diffs, run, states
from avro_data_contracts.contracts.check.baselines import FolderSource, GitSource
from avro_data_contracts.contracts.check.states import FolderState, GitState, Part
from avro_data_contracts.contracts.check.verdict import Checked, Verdict
from avro_data_contracts.contracts.compat.changes import Change
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history import files as file_history
from avro_data_contracts.contracts.history.git import Commit, Repository

#: Statuses beyond those of `Verdict`.
EDITED, UNREADABLE = "edited", "unreadable"


@dataclass(frozen=True)
class Version:
    """What a commit made of one contract.

    Attributes:
        contract: its name there.
        was: its name before; empty for a new one.
        verdict: its status is one of `Verdict`; or `edited` if only settings changed that decide nothing downstream
            (owner, description, consumers, approvals, lint); or `unreadable`.
        settings: what changed in its contract.yaml.
        fault: why it cannot be read, or cannot be compared; else empty.
    """

    contract: str
    was: str
    verdict: Verdict
    settings: tuple[Change, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class Step:
    """A commit, and what it changed.  `commit`: None for the working tree."""

    commit: Commit | None
    versions: tuple[Version, ...]


class History:
    """The commits that changed the contracts of a folder.

    Args:
        folder: the folder of the contracts, in a git work tree.

    Raises:
        ConfigurationError: there is no git repository, or it has no commit.
    """

    def __init__(self, folder: Path, present: Sequence[str] = ()) -> None:
        self.folder = folder
        self.repository = Repository(folder)
        self.head = self.repository.commit("HEAD")
        self._present = tuple(present)

    @property
    def is_shallow(self) -> bool:
        """Whether the clone lacks the commits before its first one."""
        return self.repository.is_shallow

    def commits(self) -> tuple[Commit, ...]:
        """The commits that changed a contract, a schema, a view or perhaps its reference data, oldest first."""
        below = self._state(self.head).below
        own = [commit for commit, _ in file_history.read(self.repository, self.head, below)]
        known = {one.sha for one in own}
        prefix = f"{below}/" if below else ""
        found: list[Commit] = []
        left = iter(own)
        for commit, changed in self.repository.history(self.head, [below] if below else []):
            if commit.sha in known:
                for one in left:
                    found.append(one)
                    if one.sha == commit.sha:
                        break
            elif any(path.endswith(ENDING) or heads_of_view(path.removeprefix(prefix)) for path in changed):
                found.append(commit)
        return (*found, *left)

    def steps(
        self, commits: Sequence[Commit] | None = None, after: Commit | None = None, *, working_tree: bool = False
    ) -> Iterator[Step]:
        """Yield what each commit changed, oldest first.

        Args:
            commits: those of `commits`, or the last of them; None: all.
            after: the commit before the first of them; None: there were no contracts.
            working_tree: whether what is not committed comes last, if that changes anything.
        """
        before = self._state(after) if after is not None else None
        for commit in self.commits() if commits is None else commits:
            state = self._state(commit)
            if found := self._versions(state.read(), before, _day(commit.day)):
                yield Step(commit, found)
            before = state
        if working_tree:
            today = datetime.now(UTC).date()
            if found := self._versions(read_folder(self.folder), self._state(self.head), today):
                yield Step(None, found)

    def titles(self, commits: Sequence[Commit]) -> dict[str, str]:
        """Return the first line of each commit's message, by its hash."""
        return self.repository.titles(commits)

    def between(self, old: str, new: str | None) -> tuple[Version, ...]:
        """Return what changed between two commits, with approvals as of the newer one.  None: the working tree.

        Raises:
            ConfigurationError: git has no such commit.
        """
        start = self.repository.dated(self.repository.commit(old))
        if new is None:
            now, day = read_folder(self.folder), datetime.now(UTC).date()
        else:
            end = self.repository.dated(self.repository.commit(new))
            now, day = self._state(end).read(), max(_day(start.day), _day(end.day))
        before = self._state(start)
        return self._versions(now, before, day)

    def _state(self, commit: Commit) -> GitState:
        return GitState(self.repository, self.folder, commit, _label(commit), self._present)

    def _versions(self, now: Folder, before: GitState | None, today: date) -> tuple[Version, ...]:
        part = Part(now, Folder({}), was_empty=True) if before is None else states.concerned(now, before)
        if not (part.now.texts or part.before.texts or part.now.faults):
            return ()
        return versions(part, before, today, str(self.folder))


def versions(
    part: Part, before: GitState | FolderState | None, today: date, root: str, *, stored: bool = True
) -> tuple[Version, ...]:
    """Return what became of each contract that a change concerns.

    Args:
        part: the files of both states.
        before: the earlier state; None: there was none.
        today: for approvals.
        root: the folder of the files, for messages.
        stored: whether the schemas were accepted before, and are read leniently.
    """
    is_there = part.now.faults or part.now.others or any(map(is_head, part.now.texts))
    current = loading.read(part.now, root, stored=stored) if is_there else Loaded(Catalog(root, {}, ()))
    if before is None:
        found = tuple(Version(one.name, "", _verdict(one, "new")) for one in current.catalog.contracts.values())
        return (*found, *_unreadable(current, {}))
    source = GitSource(before) if isinstance(before, GitState) else FolderSource(before)
    base = source.baseline(part, current.catalog)
    old = {one.name: one for one in base.contracts.values()}
    try:
        histories = source.histories(run.changed_subjects(current.catalog, base), current.catalog)
    except ConfigurationError as error:  # a shallow clone does not have all versions
        why = str(error)
        return tuple(
            Version(one.name, one.name, _verdict(one, UNREADABLE), fault=why)
            for one in current.catalog.contracts.values()
        )
    texts = Texts.of(part.now.texts, root)
    checked = run.run(current.catalog, base, histories, texts, today, broken=current.broken)
    return (*_read(checked, part, old, current), *_unreadable(current, old))


def _read(checked: Checked, part: Part, old: Mapping[str, Contract], current: Loaded) -> Iterator[Version]:
    before = predecessors(old.values(), current.catalog.contracts.values())
    told = {one.contract: one for one in checked.verdicts if one.status != "unchanged"}
    for contract in current.catalog.contracts.values():
        was = before.get(contract.name)
        texts = [_text(one, files.texts) for one, files in ((was, part.before), (contract, part.now)) if one]
        settings = tuple(diffs.settings(*texts)) if len(texts) == 2 and all(texts) else ()
        verdict = told.pop(contract.name, None)
        if verdict is None and (settings or (was is not None and was.name != contract.name)):
            verdict = Verdict(contract.name, contract.topic, EDITED, ())
        if verdict is not None:
            yield Version(contract.name, was.name if was else "", verdict, settings)
    for verdict in told.values():  # what is gone
        yield Version(verdict.contract, verdict.contract, verdict)


def _unreadable(current: Loaded, old: Mapping[str, Contract]) -> Iterator[Version]:
    for name, topic in current.broken.items():
        fault = next((str(one.error) for one in current.faults if one.contract == name), "a file cannot be read")
        verdict = Verdict(name, topic, UNREADABLE, ())
        yield Version(name, name if name in old else "", verdict, fault=fault)


def _text(contract: Contract, texts: Mapping[str, str]) -> str:
    """The text of its contract.yaml; empty if the files do not have it."""
    parts = contract.file.split("/")
    paths = ("/".join(parts[at:]) for at in range(len(parts)))
    return next((texts[path] for path in paths if path in texts), "")


def _verdict(contract: Contract, status: str) -> Verdict:
    return Verdict(contract.name, contract.topic, status, ())


def _label(commit: Commit) -> str:
    return f"{commit.short} of {commit.day}" if commit.day else commit.short


def _day(text: str) -> date:
    return date.fromisoformat(text) if text else datetime.now(UTC).date()
