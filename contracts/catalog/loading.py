"""Loads `schemas/` as contracts: reads the files, resolves their references, and says what is wrong and where.

A folder with a `contract.yaml` is a contract.  Every other `.avsc` below the root (whichever folder it is in) defines
one shared named type, which is registered under its full name as the subject, and found by that name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from avro_data_contracts.contracts.catalog import primary_keys, sharing, yaml_text
from avro_data_contracts.contracts.catalog.contract import Contract, ContractSpec, Subject, SubjectStrategy, types_of
from avro_data_contracts.contracts.catalog.folder import (
    CONTRACT_FILE,
    Folder,
    beside,
    is_almost_contract_file,
    join,
    read_folder,
)
from avro_data_contracts.contracts.catalog.missing import missing
from avro_data_contracts.contracts.catalog.shared_types import SharedTypes
from avro_data_contracts.contracts.catalog.spec import line_of, names_in, parse_spec
from avro_data_contracts.contracts.catalog.subject_names import subject_name
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.project import Project
from avro_data_contracts.contracts.quality import reading


@dataclass(frozen=True)
class Catalog:
    """All contracts of a repository.

    Attributes:
        root: where the files came from, for messages.
        contracts: by folder name.
        types: the shared named types that the contracts use, dependencies first.
    """

    root: str
    contracts: Mapping[str, Contract]
    types: tuple[Subject, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Every subject that the repository owns, once, references first."""
        found = {one.name: one for one in self.types}
        for contract in self.contracts.values():
            for one in contract.subjects:
                found.setdefault(one.name, one)
        return tuple(found.values())

    def get(self, name: str) -> Contract:
        """Return the contract with that folder name.

        Raises:
            ConfigurationError: no contract has that name; the message lists those that exist.
        """
        if name not in self.contracts:
            near = get_close_matches(name, self.contracts)
            here = f"contracts here: {few(tuple(self.contracts), 20) or 'none'}"
            fix = f"write {' or '.join(near)}; {here}" if near else here
            raise ConfigurationError(f"there is no contract {name!r}", where=self.root, fix=fix)
        return self.contracts[name]

    def only(self, names: Collection[str]) -> Catalog:
        """Return the contracts with these names, and their types; all if there are no names.  Raises as `get`."""
        if not names:
            return self
        chosen = {name: self.get(name) for name in dict.fromkeys(names)}
        used = {one.name for one in _types_of(chosen.values())}
        return Catalog(self.root, MappingProxyType(chosen), tuple(one for one in self.types if one.name in used))


@dataclass(frozen=True)
class Fault:
    """What makes a file unreadable.  `contract`: the name of the contract that it belongs to; empty for a shared
    type."""

    error: ConfigurationError
    contract: str = ""


@dataclass(frozen=True)
class Loaded:
    """Everything that could be read, and everything that could not.

    Args:
        catalog: the contracts without faults.
        faults: each once.
        broken: the names of the contracts with faults -> topic, as far as it is known.
        unused: the files of shared types that no contract uses -> the types that they define.  While a contract is
            broken, nobody knows, and it is empty.
    """

    catalog: Catalog
    faults: tuple[Fault, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all contracts, the broken ones too."""
        return tuple(sorted({*self.catalog.contracts, *self.broken}))

    def faults_of(self, names: Collection[str]) -> tuple[Fault, ...]:
        """The faults that concern the contracts with these names; all if there are no names."""
        if not names:
            return self.faults
        concerned = any(name in self.broken for name in names)
        return tuple(one for one in self.faults if one.contract in names or (not one.contract and concerned))

    def whole(self) -> Catalog:
        """The contracts, if all of them could be read.

        Raises:
            ConfigurationError: the first fault, and how many there are.
        """
        if not self.faults:
            return self.catalog
        first = self.faults[0].error
        if len(self.faults) > 1:
            first = first.but(
                fix=f"{first.fix}; `contracts lint` lists all {len(self.faults)} faults of the contracts"
            )
        raise first


def load(folder: Path) -> Catalog:
    """Load the contracts below `folder`.

    Raises:
        ConfigurationError: the folder does not exist, has no contract, or has an invalid contract.yaml.
        InvalidSchema: an .avsc is not a valid Avro schema.
    """
    return load_folder(folder)[0].whole()


def load_folder(folder: Path) -> tuple[Loaded, Folder]:
    """Load the contracts below `folder`, as far as they can be read, and return them with their files.

    Raises:
        ConfigurationError: the folder does not exist, or has no contract.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "the folder does not exist", where=str(folder), fix="run from the repository's root, or set CONTRACTS_DIR"
        )
    files = read_folder(folder)
    return read(files, str(folder)), files


def load_one(folder: Path, name: str) -> Contract:
    """Load the contract `name` below `folder`.  Raises as `load` and `Catalog.get`."""
    return load(folder).get(name)


def from_files(files: Mapping[str, str], root: str) -> Catalog:
    """Load contracts from file texts, by path below `root`, which is only for messages.  Raises as `load`."""
    return read(Folder(files), root).whole()


def read(files: Folder, root: str, *, stored: bool = False) -> Loaded:
    """Read contracts, as far as they can be read.

    Args:
        root: the folder of the files, for messages.
        stored: whether the registry has accepted the schemas before (see `parsing.parse_stored`).

    Raises:
        ConfigurationError: there is no contract.
    """
    return _Reading(files, root, stored).read()


class _Reading:
    """Reads one state of the files, once."""

    def __init__(self, files: Folder, root: str, stored: bool) -> None:
        self.files = files
        self.root = root
        self.stored = stored
        self.faults: dict[int, Fault] = {}
        self.broken: dict[str, str] = {}
        self.contracts: dict[str, Contract] = {}

    def read(self) -> Loaded:
        texts = self.files.texts
        folders = [str(PurePosixPath(path).parent) for path in texts if PurePosixPath(path).name == CONTRACT_FILE]
        for fault in self.files.faults:
            self._fault(fault)
            path = PurePosixPath(fault.file)
            if path.suffix != ".avsc":
                around = path.parent if path.name == CONTRACT_FILE else path
                self.broken[around.relative_to(self.root).as_posix()] = ""
        self._almost()
        if not folders and not self.faults:
            raise ConfigurationError(
                f"no folder has a {CONTRACT_FILE}",
                where=self.root,
                fix=f"add {self.root}/<topic>/{CONTRACT_FILE} (docs/reference/contract.md)",
            )
        specs = {folder: spec for folder in folders if (spec := self._spec(folder))}
        everywhere = dict.fromkeys([*folders, *self.broken])
        named = {beside(folder, name) for folder in everywhere for name in self._named(folder, specs.get(folder))}
        # A file outside the folders of contracts is also a shared type.
        own = {path for path in named if str(PurePosixPath(path).parent) in everywhere or self._inside(path)}
        shared = SharedTypes(
            {path: text for path, text in texts.items() if path.endswith(".avsc") and path not in own},
            self.root,
            stored=self.stored,
            others={path: texts[path] for path in own if path in texts},
        )
        if not self.stored:
            for error in shared.faults():
                if error.file not in {join(self.root, path) for path in named}:
                    self._fault(error)
        for folder, spec in specs.items():
            self._contract(folder, spec, shared)
        self._agree()
        subjects = [subject for contract in self.contracts.values() for subject in contract.subjects]
        catalog = Catalog(self.root, MappingProxyType(self.contracts), types_of(subjects))
        unused = {} if self.broken or self.stored else shared.unused(subjects)
        return Loaded(catalog, tuple(self.faults.values()), MappingProxyType(self.broken), MappingProxyType(unused))

    def _fault(self, error: ConfigurationError, contract: str = "") -> None:
        self.faults.setdefault(id(error), Fault(error, contract))

    def _almost(self) -> None:
        """Find files whose name is a slip, so that nobody would miss their contract."""
        for path, reason in self.files.unread.items():
            folder = str(PurePosixPath(path).parent)
            if is_almost_contract_file(path) and not reason and join(folder, CONTRACT_FILE) not in self.files.texts:
                what = f"the file is not read, because its name is not {CONTRACT_FILE}"
                self._fault(ConfigurationError(what, file=join(self.root, path), fix=f"rename it to {CONTRACT_FILE}"))
                self.broken[folder] = ""

    def _spec(self, folder: str) -> ContractSpec | None:
        text = self.files.texts[join(folder, CONTRACT_FILE)]
        try:
            spec = parse_spec(text, join(self.root, folder, CONTRACT_FILE))
            return with_default(spec, self.files.project)
        except ConfigurationError as error:
            names = names_in(text)
            topic = names.topic if names else ""
            name = folder if folder != "." else topic
            self.broken[name] = topic
            self._fault(error, name)
            return None

    def _named(self, folder: str, spec: ContractSpec | None) -> list[str]:
        """The files that a contract.yaml names, or probably names."""
        if spec is None:
            found = names_in(self.files.texts.get(join(folder, CONTRACT_FILE), ""))
            return [one for one in (found[1:] if found else ("key.avsc", "value.avsc")) if one]
        return [one for one in (spec.key, spec.value) if one]

    def _contract(self, folder: str, spec: ContractSpec, shared: SharedTypes) -> None:
        name = folder if folder != "." else spec.topic
        self.broken[name] = spec.topic
        where = join(self.root, folder, CONTRACT_FILE)
        try:
            key = self._subject(name, folder, spec, "key", shared) if spec.key else None
            value = self._subject(name, folder, spec, "value", shared)
            if value is None or (spec.key and key is None):
                return
            rules = reading.read(spec.rules, value.schema, lambda *at: (where, self._line(folder, "rules", *at)))
            contract = Contract(name, where, spec, key, value, rules, said=frozenset(spec.model_fields_set))
            primary_keys.check(contract)
        except ConfigurationError as error:
            if error.file == where and error.path and not error.line:
                error = error.at(self._line(folder, *error.path.split(".")))
            self._fault(error, name)
            return
        del self.broken[name]
        self.contracts[name] = contract

    def _agree(self) -> None:
        """Take out the contracts that do not agree with others about a topic or a subject."""
        self.contracts, errors = sharing.agreed(self.contracts.values())
        for name, error in errors.items():
            contract = self.contracts.pop(name)
            folder = str(PurePosixPath(contract.file).relative_to(self.root).parent)
            self.broken[name] = contract.topic
            self._fault(error.at(self._line(folder, *error.path.split("."))), name)

    def _subject(
        self, name: str, folder: str, spec: ContractSpec, role: Literal["key", "value"], shared: SharedTypes
    ) -> Subject | None:
        """None if it cannot be read."""
        file = spec.value if role == "value" else spec.key or ""
        path = beside(folder, file)
        shown = join(self.root, path)
        if path not in self.files.texts:
            if not any(one.file == shown for one in self.files.faults):
                self._fault(missing(role, file, folder, self.files, self.root, self._line(folder, role)), name)
            return None
        try:
            found = shared.subject("", role, shown, self.files.texts[path])
            return replace(found, name=self._subject_name(spec, role, found, join(self.root, folder, CONTRACT_FILE)))
        except ConfigurationError as error:
            if error.path and not error.line:
                error = error.at(self._line(folder, error.path))
            self._fault(error, name)
            return None

    def _subject_name(self, spec: ContractSpec, role: Literal["key", "value"], found: Subject, where: str) -> str:
        if name := subject_name(spec, role, found.fullname):
            return name
        raise ConfigurationError(
            f"subject_strategy: {spec.subject_strategy.value} names a subject after its record, and {found.file} has "
            "none",
            file=where,
            path="subject_strategy",
            fix="name the subject (`subject: NAME`), or make the value a record",
        )

    def _inside(self, path: str) -> bool:
        """Whether a folder around the file, but not all contracts, has a contract.yaml."""
        return any(join(str(one), CONTRACT_FILE) in self.files.texts for one in PurePosixPath(path).parents)

    def _line(self, folder: str, *keys: str | int) -> int:
        node = yaml_text.compose(self.files.texts[join(folder, CONTRACT_FILE)])
        assert node is not None  # it has already been parsed
        return line_of(node, list(keys))


def with_default(spec: ContractSpec, project: Project) -> ContractSpec:
    """Return the spec with the repository's strategy, if it names none itself."""
    if project.strategy is None or "subject_strategy" in spec.model_fields_set:
        return spec
    return spec.model_copy(update={"subject_strategy": SubjectStrategy(project.strategy)})


def _types_of(contracts: Iterable[Contract]) -> tuple[Subject, ...]:
    return types_of(subject for contract in contracts for subject in contract.subjects)
