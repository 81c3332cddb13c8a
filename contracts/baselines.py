"""What there was before: in git, in a folder, in the registry.

Each has the baseline itself, and then the histories of those subjects that turn out to need one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from contracts import avro, catalog
from contracts.catalog import CONTRACT_FILE, Catalog
from contracts.check import Baseline, Histories
from contracts.compatibility import LEVELS
from contracts.contract import Compatibility, Contract, Subject
from contracts.errors import ConfigurationError, InvalidSchema
from contracts.git import Commit, Repository
from contracts.impact import Earlier
from contracts.settings import Settings
from contracts.shared_types import SharedTypes

if TYPE_CHECKING:
    from contracts.registry import Registry

_MERGE_BASE = "the merge base with "


class Source(Protocol):
    """Where a baseline comes from."""

    def baseline(self) -> Baseline:
        """The contracts as they were."""

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        """Earlier versions of these subjects of the baseline; `current` says the levels now asked for."""


class FolderSource:
    """Contracts in another folder, e.g. of a second clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def baseline(self) -> Baseline:
        return Baseline(str(self.folder), _by_topic(_catalog(catalog.read_folder(self.folder), str(self.folder))))

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        return {name: (Earlier(str(self.folder), subject.schema),) for name, (_, subject) in wanted.items()}


class GitSource:
    """Contracts as a commit has them; for a transitive level, and every one before it by first parents."""

    def __init__(self, repository: Repository, folder: Path, commit: Commit, label: str) -> None:
        self.repository = repository
        self.commit = commit
        self.label = label
        self.shown = folder.as_posix()
        self.below = repository.relative(folder)

    @classmethod
    def of(cls, folder: Path, ref: str | None) -> GitSource:
        """At `ref`; None for where HEAD parted from origin/main."""
        repository = Repository(folder)
        if ref is not None:
            return cls(repository, folder, commit := repository.commit(ref), _label(ref, commit))
        try:
            commit = repository.merge_base("origin/main")
        except ConfigurationError as error:
            error.mend = f"{error.mend}; or say what to compare with: --against REF|DIR|registry"
            raise
        return cls(repository, folder, commit, f"{_MERGE_BASE}origin/main ({commit.short})")

    def baseline(self) -> Baseline:
        files = self.repository.files(self.commit, self.below)
        return Baseline(self.label, _by_topic(_catalog(self._texts(files), self.shown, f" of {self.label}")))

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        levels = {contract.topic: contract.compatibility.value for contract in current.contracts.values()}
        newest: dict[str, Earlier] = {}
        whole: dict[str, str] = {}  # path from the contracts' folder -> subject
        for name, (old, subject) in wanted.items():
            newest[name] = Earlier(self.label.removeprefix(_MERGE_BASE), subject.schema)
            if any(LEVELS[level].transitive for level in (old.compatibility.value, levels[old.topic])):
                whole[PurePosixPath(subject.file).relative_to(self.shown).as_posix()] = name
        if whole and self.repository.is_shallow:
            raise ConfigurationError(
                "a transitive level is checked against the whole history, and this clone is shallow",
                where=str(self.repository.top),
                mend="run: git fetch --unshallow origin",
            )
        return _Parsed(newest, self._earlier(whole) if whole else {})

    def _earlier(self, whole: Mapping[str, str]) -> dict[str, list[_Text]]:
        """Texts by subject, oldest first, without the commit's own."""
        found: dict[str, dict[tuple[str, ...], _Text]] = {name: {} for name in whole.values()}
        start = len(self.below) + 1 if self.below else 0
        commits = [
            (commit, {path[start:]: blob for path, blob in changed.items() if path.endswith(".avsc")})
            for commit, changed in self.repository.history(self.commit, self.below)
        ]
        wanted = {blob for _, changed in commits for blob in changed.values() if blob}
        texts = {blob: data.decode("utf-8", "replace") for blob, data in self.repository.blobs(wanted).items()}
        texts[""] = ""
        state: dict[str, str] = {}
        others: dict[str, str] = {}
        shared = SharedTypes(others)
        for commit, changed in commits:
            touched = [path for path in whole if path in changed]
            state |= {path: texts[changed[path]] for path in touched}
            if len(touched) < len(changed):
                others |= {path: texts[blob] for path, blob in changed.items() if path not in whole}
                shared = SharedTypes(others)
                touched = [path for path in whole if path in state]
            for path in touched:
                text, name = state[path], whole[path]
                if text:
                    version = (text, *shared.texts(text))
                    found[name].setdefault(version, _Text(f"{commit.short} of {commit.day}", path, text, shared))
        for path, name in whole.items():
            own = state.get(path, "")
            found[name].pop((own, *shared.texts(own)), None)
        return {name: list(versions.values()) for name, versions in found.items()}

    def _texts(self, files: Mapping[str, str]) -> dict[str, str]:
        prefix = f"{self.below}/" if self.below else ""
        wanted = {
            path[len(prefix) :]: blob
            for path, blob in sorted(files.items())
            if path.endswith(".avsc") or PurePosixPath(path).name == CONTRACT_FILE
        }
        blobs = self.repository.blobs(wanted.values())
        found = {}
        for path, blob in wanted.items():
            try:
                found[path] = blobs[blob].decode("utf-8")
            except UnicodeDecodeError:
                raise ConfigurationError(
                    "not UTF-8",
                    where=f"{self.shown}/{path} of {self.label}",
                    mend="compare with a commit where it is",
                ) from None
        return found


@dataclass(frozen=True)
class _Text:
    """A version that is not parsed yet.  `shared`: what it may refer to."""

    label: str
    path: str
    text: str
    shared: SharedTypes


class _Parsed(Mapping[str, tuple[Earlier, ...]]):
    """Histories, each parsed when it is asked for: all of a large repository at once would fill the memory.

    A text that is no schema was never registered, and is left out.
    """

    def __init__(self, newest: Mapping[str, Earlier], earlier: Mapping[str, list[_Text]]) -> None:
        self._newest = newest
        self._earlier = earlier

    def __getitem__(self, name: str) -> tuple[Earlier, ...]:
        newest = self._newest[name]
        return (*(one for text in self._earlier.get(name, ()) if (one := _parsed(text))), newest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)


def _parsed(one: _Text) -> Earlier | None:
    try:
        return Earlier(one.label, avro.parse_stored(one.text, where=one.path, named=one.shared.named(one.text)))
    except InvalidSchema:
        return None


class RegistrySource:
    """Every version that the registry has."""

    def __init__(self, registry: Registry, current: Catalog) -> None:
        self.registry = registry
        self.current = current
        self.found: dict[str, tuple[Earlier, ...]] = {}

    @property
    def label(self) -> str:
        return f"the registry {self.registry.url}"

    def baseline(self) -> Baseline:
        contracts = {}
        for contract in self.current.contracts.values():
            key = self._newest(contract.key) if contract.key else None
            value = self._newest(contract.value)
            if value is None and key is None:
                continue
            level = self.registry.level(contract.value.name)
            spec = contract.spec
            if level in LEVELS:
                spec = spec.model_copy(update={"compatibility": Compatibility(level)})
            contracts[contract.topic] = replace(
                contract, spec=spec, key=key or contract.key, value=value or contract.value
            )
        return Baseline(self.label, MappingProxyType(contracts), complete=False)

    def histories(self, wanted: Mapping[str, tuple[Contract, Subject]], current: Catalog) -> Histories:
        return {name: self.found[name] for name in wanted if name in self.found}

    def _newest(self, subject: Subject) -> Subject | None:
        versions = []
        for number in self.registry.versions(subject.name):
            kept = self.registry.version(subject.name, number)
            if kept is not None:
                versions.append(Earlier(f"version {number}", self.registry.parse(kept)))
        if not versions:
            return None
        self.found[subject.name] = tuple(versions)
        return replace(subject, schema=versions[-1].schema, text="", types=())


def _catalog(files: Mapping[str, str], root: str, of: str = "") -> Catalog:
    """As `catalog.from_files`; no contract at all is fine in a baseline.  `of` tells whose files they are."""
    if not any(PurePosixPath(path).name == CONTRACT_FILE for path in files):
        return Catalog(root, MappingProxyType({}), ())
    try:
        return catalog.from_files(files, root)
    except ConfigurationError as error:
        error.where += of
        error.mend = "compare with something that is in order: --against REF|DIR|registry" if of else error.mend
        raise


def _by_topic(found: Catalog) -> Mapping[str, Contract]:
    return MappingProxyType({contract.topic: contract for contract in found.contracts.values()})


def _label(ref: str, commit: Commit) -> str:
    return ref if commit.sha.startswith(ref) else f"{ref} ({commit.short})"


def source(against: str | None, folder: Path, current: Catalog, settings: Settings) -> Source:
    """What `--against` means: `registry`, a folder where there is one of that name, else a git ref."""
    if against == "registry":
        from contracts.registry import Registry  # loads an HTTP client: only where it is needed

        return RegistrySource(Registry.from_settings(settings), current)
    if against is None:
        return GitSource.of(folder, None)
    if not against.strip():
        raise ConfigurationError(
            "it is empty: there is nothing to compare with",
            where="--against",
            mend="name a git ref, a folder or registry",
        )
    other = Path(against)
    if not other.is_dir():
        return GitSource.of(folder, against)
    if folder.resolve().is_relative_to(other.resolve()):
        raise ConfigurationError(
            f"{against} holds {folder} itself: there is nothing to compare with",
            where="--against",
            mend="name a git ref, another folder or registry",
        )
    return FolderSource(other)
