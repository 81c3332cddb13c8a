"""The files of a folder of contracts, on disk: their texts, and what is there but cannot be read, or is not read.

A contract is a folder with a contract.yaml, or a file NAME.contract.yaml beside any schema.  Its views are the files
`views/*.sql` in the folder with its name; in other folders, such files are somebody else's.  A CSV is read if a view
joins it.  A link to a folder is followed.  Inside a git work tree, what git ignores is not read, unless it ignores
the folder itself; nor is what contracts.toml ignores.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from avro_data_contracts.contracts import git_program, project
from avro_data_contracts.contracts.catalog import view_references
from avro_data_contracts.contracts.errors import ConfigurationError

CONTRACT_FILE = "contract.yaml"
#: The ending of a contract that is one of several in a folder.
CONTRACT_ENDING = f".{CONTRACT_FILE}"
#: The folder of a contract's views, and their ending.
VIEWS, VIEW_ENDING = "views", ".sql"
#: Why a file is not read.
IGNORED, IS_FOLDER, LEFT_OUT = "git ignores it", "it is a folder", "contracts.toml ignores it"
HIDDEN = "this sparse checkout leaves it out"
#: Names that a reader could take for a contract's.
_ALIKE = frozenset({"contract.yml", "contracts.yaml", "contracts.yml"})


@dataclass(frozen=True)
class Folder:
    """The files of a folder.  Paths are below the folder (POSIX), in order.

    Args:
        texts: every contract file, schema and view, and the CSVs that views join: path -> text.
        unread: files that are there, but are not read: path -> why; empty if only the name is the reason.
        faults: errors of files that should be read, but cannot be.
        defaults: what contracts.toml says for contracts that do not: key -> value.
        root: the folder, as the faults show it.
        others: contract files and schemas that are there and not among `texts` (see `only`).
    """

    texts: Mapping[str, str]
    unread: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[ConfigurationError, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    others: tuple[str, ...] = ()

    @property
    def paths_of_faults(self) -> tuple[str, ...]:
        """The files with faults, below the folder."""
        return tuple(PurePosixPath(one.file).relative_to(self.root).as_posix() for one in self.faults)

    @property
    def almost(self) -> tuple[str, ...]:
        """Files whose name is a slip for contract.yaml, in folders that have none."""
        return tuple(
            path
            for path, reason in self.unread.items()
            if is_almost_contract_file(path)
            and not reason
            and join(PurePosixPath(path).parent.as_posix(), CONTRACT_FILE) not in self.texts
        )

    def only(self, paths: Iterable[str]) -> Folder:
        """The same with these texts only."""
        paths = frozenset(paths)
        others = (*self.others, *(path for path in self.texts if path not in paths))
        return replace(self, texts={path: text for path, text in self.texts.items() if path in paths}, others=others)

    @property
    def outside(self) -> frozenset[str]:
        """The names of the contracts among `others`."""
        return frozenset(contract_name(path) for path in self.others if is_head(path))

    def readable(self) -> Mapping[str, str]:
        """The texts.

        Raises:
            ConfigurationError: a file cannot be read.
        """
        if self.faults:
            raise self.faults[0]
        return self.texts


def join(*parts: str) -> str:
    """A path below the root, in POSIX's form."""
    return PurePosixPath(*parts).as_posix()


def beside(folder: str, name: str) -> str:
    """The path of a file that the contract.yaml of `folder` names."""
    return posixpath.normpath(posixpath.join(folder, name))


def is_head(path: str) -> bool:
    """Whether the file is a contract: `contract.yaml` or `NAME.contract.yaml`."""
    name = path.rpartition("/")[2]
    return name == CONTRACT_FILE or (name.endswith(CONTRACT_ENDING) and name != CONTRACT_ENDING)


def is_schema_file(path: str) -> bool:
    """Whether the file has schemas: an .avsc, or an .avpr, which is a protocol."""
    return path.endswith((".avsc", ".avpr"))


def is_contract_file(path: str) -> bool:
    """Whether the file is read: a contract, or schemas."""
    return is_schema_file(path) or is_head(path)


def heads_of_view(path: str) -> tuple[str, ...]:
    """Return the contract files, there or not, whose view a file is; none if it has no place for a view."""
    folder, _, name = path.rpartition("/")
    owner, slash, last = folder.rpartition("/")
    if last != VIEWS or not name.endswith(VIEW_ENDING) or name == VIEW_ENDING:
        return ()
    return (f"{owner}/{CONTRACT_FILE}", f"{owner}{CONTRACT_ENDING}") if slash else (CONTRACT_FILE,)


def views_among(paths: Collection[str]) -> list[str]:
    """Return the views of the contracts among these files of a folder."""
    there = frozenset(path for path in paths if is_head(path))
    return [path for path in paths if not there.isdisjoint(heads_of_view(path))]


def references_among(texts: Mapping[str, str]) -> list[str]:
    """Return the files, there or not, with the reference data of the views among these files of a folder."""
    named = (file for path in views_among(texts) for file in view_references.files_of(texts[path], path))
    return sorted(set(named))


def contract_name(path: str) -> str:
    """The name of the contract in a file: its folder, or its path without the ending; "." at the root."""
    folder, _, name = path.rpartition("/")
    return folder or "." if name == CONTRACT_FILE else path.removesuffix(CONTRACT_ENDING)


def default_value(path: str) -> str:
    """The schema of the value, from the contract's folder, unless it names one."""
    name = PurePosixPath(path).name
    return "value.avsc" if name == CONTRACT_FILE else f"{name.removesuffix(CONTRACT_ENDING)}.avsc"


def default_heads(path: str) -> tuple[str, str]:
    """The contract files beside a schema that it is the default value of, whether or not they are there."""
    one = PurePosixPath(path)
    return join(one.parent.as_posix(), CONTRACT_FILE), join(one.parent.as_posix(), f"{one.stem}{CONTRACT_ENDING}")


def is_almost_contract_file(path: str) -> bool:
    """Whether the name of the file is a slip for contract.yaml."""
    name = PurePosixPath(path).name.lower()
    return name in _ALIKE or (name == CONTRACT_FILE and not is_contract_file(path))


def contracts_below(folder: Path) -> list[str]:
    """The names of the contracts, quickly: git is not asked what it ignores, and no link is followed."""
    return sorted(
        contract_name(PurePosixPath(os.path.relpath(one, folder), name).as_posix())
        for one, _, names in os.walk(folder)
        for name in names
        if is_head(name)
    )


def decoded(data: bytes) -> str:
    """The text of a file, with the same ends of lines on every system.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def read_folder(folder: Path) -> Folder:
    """Read the files below `folder`.

    Raises:
        ConfigurationError: the folder does not exist.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "the folder does not exist",
            where=str(folder),
            fix="run from the repository's root, or name the folder: --schemas DIR, or CONTRACTS_DIR",
        )
    return _Reading(folder).read()


class _Reading:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.top = str(folder)
        self.texts: dict[str, str] = {}
        self.unread: dict[str, str] = {}
        self.faults: list[ConfigurationError] = []
        self.ignored: set[str] = set()
        self.seen: set[str] = set()  # folders, without links
        self.sql: dict[str, os.DirEntry[str]] = {}  # what is a view if there is a contract for it
        self.csv: dict[str, os.DirEntry[str]] = {}  # what is read if a view names it
        self.project = project.find(folder)

    def read(self) -> Folder:
        self._note_git()
        waiting = [""]
        linked: list[str] = []
        while waiting or linked:
            # A linked folder comes last: if it is also below `folder` itself, it is read there.
            path = waiting.pop() if waiting else linked.pop(0)
            real = os.path.realpath(os.path.join(self.top, path))
            if real in self.seen:
                continue
            self.seen.add(real)
            for name, entry in self._entries(path):
                if os.path.isdir(entry):
                    (linked if entry.is_symlink() else waiting).append(name)
                    if is_contract_file(name):
                        self.unread[name] = IS_FOLDER
                else:
                    self._file(name, entry)
        for name in views_among([*self.texts, *self.sql]):
            del self.unread[name]
            self._read_file(name, self.sql[name])
        for name in references_among(self.texts):
            if name in self.csv:
                del self.unread[name]
                self._read_file(name, self.csv[name])
        texts, unread = dict(sorted(self.texts.items())), dict(sorted(self.unread.items()))
        return Folder(texts, unread, tuple(self.faults), self.project.defaults, str(self.folder))

    def _entries(self, path: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        try:
            with os.scandir(os.path.join(self.top, path)) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            self._fault(path, f"the folder cannot be read: {error.strerror}", "correct its permissions")
            return
        names = {entry.name for entry in entries}
        if path and ".git" in names:
            self.ignored |= {f"{path}/{one}" for one in _ignored(self.folder / path)}
        for entry in entries:
            name = f"{path}/{entry.name}" if path else entry.name
            # Kubernetes mounts a ConfigMap as links to a folder of this kind, and each file would be there twice.
            if entry.name == ".git" or entry.name.startswith(".."):
                continue
            if name in self.ignored:
                self.unread[name] = IGNORED
            elif self.project.ignored and self.project.ignores(self.folder / name):
                self.unread[name] = LEFT_OUT
            else:
                yield name, entry

    def _file(self, name: str, entry: os.DirEntry[str]) -> None:
        if is_contract_file(name):
            self._read_file(name, entry)
            return
        self.unread[name] = ""
        if heads_of_view(name):
            self.sql[name] = entry
        elif name.endswith(view_references.ENDING):
            self.csv[name] = entry

    def _read_file(self, name: str, entry: os.DirEntry[str]) -> None:
        if os.path.isfile(entry):
            self._text(name)
        elif entry.is_symlink():
            target = os.readlink(self.folder / name)
            self._fault(
                name, f"the file is a link to {target}, which does not exist", "correct the link, or remove it"
            )
        else:
            self._fault(name, "it is not a regular file", "replace it by a file")

    def _text(self, name: str) -> None:
        try:
            data = (self.folder / name).read_bytes()
            self.texts[name] = decoded(data)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            what = f"the file is not UTF-8: {error.reason} at byte {error.start}"
            self._fault(name, what, "save it as UTF-8", line)
        except OSError as error:
            self._fault(name, f"the file cannot be read: {error.strerror}", "correct its permissions")

    def _fault(self, name: str, what: str, fix: str, line: int = 0) -> None:
        self.faults.append(ConfigurationError(what, file=(self.folder / name).as_posix(), line=line, fix=fix))

    def _note_git(self) -> None:
        """Note what git ignores, and submodules that are not checked out."""
        here = self.folder.resolve()
        top = next((one for one in (here, *here.parents) if (one / ".git").exists()), None)
        if top is None:
            return
        self.ignored = _ignored(self.folder)
        if _git(top, "config", "--type=bool", "-z", "core.sparseCheckout") == [b"true"]:
            self.unread |= dict.fromkeys(
                (
                    one
                    for one in _hidden(self.folder)
                    if is_contract_file(one) or heads_of_view(one) or one.endswith(view_references.ENDING)
                ),
                HIDDEN,
            )
        for path in _submodules(top):
            module = top / path
            if module.is_relative_to(here) and module.is_dir() and not any(module.iterdir()):
                name = module.relative_to(here).as_posix()
                if self.project.ignores(self.folder / name):
                    continue
                fix = "run: git submodule update --init"
                self._fault(name, "the submodule is not checked out, so its contracts cannot be read", fix)


def _hidden(folder: Path) -> list[str]:
    """Paths below `folder` that git has, and that a sparse checkout leaves out of the work tree."""
    entries = (os.fsdecode(entry) for entry in _git(folder, "ls-files", "-t", "-z", "--", "."))
    return [entry[2:] for entry in entries if entry.startswith("S ") and not (folder / entry[2:]).exists()]


def _ignored(folder: Path) -> set[str]:
    """Paths below `folder` that git ignores; none if git ignores the folder itself."""
    listed = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--", ".")
    found = {os.fsdecode(path).rstrip("/") for path in _git(folder, *listed)}
    return set() if "." in found else found


def _submodules(top: Path) -> list[str]:
    if not (top / ".gitmodules").is_file():
        return []
    found = _git(top, "config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    return [os.fsdecode(entry.partition(b"\n")[2]) for entry in found]


def _git(folder: Path, *arguments: str) -> list[bytes]:
    """What git lists; nothing if it is not installed, or if it cannot read the repository."""
    try:
        done = git_program.run(folder, *arguments)
    except FileNotFoundError:
        return []
    return [entry for entry in done.stdout.split(b"\0") if entry]
