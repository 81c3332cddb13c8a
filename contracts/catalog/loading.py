"""Loads `schemas/` as contracts: reads the files, resolves their references, and says what is wrong and where.

A folder with a `contract.yaml` is a contract, and so is a file `NAME.contract.yaml`.  Every other `.avsc` or `.avpr`
below the root (whichever folder it is in) defines shared named types, each of which is registered under its full name
as the subject, and found by that name.  A contract's own schema is shared too where another schema uses its types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from avro_data_contracts.contracts.catalog import (
    enveloped,
    excerpt,
    primary_keys,
    sharing,
    source_fields,
    view_files,
    yaml_text,
)
from avro_data_contracts.contracts.catalog.contract import Contract, ContractSpec, Subject, types_of
from avro_data_contracts.contracts.catalog.folder import (
    CONTRACT_FILE,
    Folder,
    beside,
    contract_name,
    heads_of_view,
    is_head,
    is_schema_file,
    join,
    read_folder,
)
from avro_data_contracts.contracts.catalog.header import header_of
from avro_data_contracts.contracts.catalog.heads import files_of, names_in
from avro_data_contracts.contracts.catalog.missing import missing
from avro_data_contracts.contracts.catalog.shared_types import SharedTypes, lent_by
from avro_data_contracts.contracts.catalog.spec import line_of, parse_spec
from avro_data_contracts.contracts.catalog.subject_names import subject_name
from avro_data_contracts.contracts.catalog.view_references import ENDING
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.masks import reading as masks
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
            raise unknown_contract(name, tuple(self.contracts), self.root)
        return self.contracts[name]

    def only(self, names: Collection[str]) -> Catalog:
        """Return the contracts with these names, and their types; all for no names.  Raises what `get` raises."""
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
            broken, or was not read, nobody knows, and it is empty.
        outside: the names of the contracts that are there, and were not read, because nobody asked for them.
    """

    catalog: Catalog
    faults: tuple[Fault, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outside: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all contracts, the broken ones too."""
        return tuple(sorted({*self.catalog.contracts, *self.broken, *self.outside}))

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


def unknown_contract(name: str, known: Sequence[str], root: str) -> ConfigurationError:
    """The error for a name that no contract has."""
    near = get_close_matches(name, known)
    here = f"contracts here: {few(known, 20) or 'none'}"
    return ConfigurationError(
        f"there is no contract {name!r}", where=root, fix=f"write {' or '.join(near)}; {here}" if near else here
    )


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
    files = read_folder(folder)
    return read(files, str(folder)), files


def load_some(folder: Path, names: Collection[str]) -> tuple[Loaded, Folder]:
    """As `load_folder`, but only what concerns the contracts with these names; all if there are no names.

    A name that no contract has is not an error here: `Loaded.names` has all names.
    """
    if not names:
        return load_folder(folder)
    files = read_folder(folder)
    # The contract in the folder itself has the name of its topic.
    named = {
        path for path in files.texts if is_head(path) and (contract_name(path) in names or path == CONTRACT_FILE)
    }
    part = files.only(excerpt.of_contracts(files.texts, named.union(files.paths_of_faults)))
    return read(part, str(folder)), part


def load_one(folder: Path, name: str) -> Contract:
    """Load the contract `name` below `folder`.  Raises what `load` and `Catalog.get` raise."""
    return load(folder).get(name)


def from_files(files: Mapping[str, str], root: str) -> Catalog:
    """Load contracts from file texts, by path below `root`, a name for messages only.  Raises what `load` raises."""
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
        # By place and words: a schema can be read twice, for itself and as a type.
        self.faults: dict[tuple[str, int, int, str], Fault] = {}
        self.broken: dict[str, str] = {}
        self.contracts: dict[str, Contract] = {}
        self.views = view_files.by_head(files, root)

    def read(self) -> Loaded:
        texts = self.files.texts
        heads = [path for path in texts if is_head(path)]
        for fault in self.files.faults:
            self._fault(fault)
            path = PurePosixPath(fault.file).relative_to(self.root).as_posix()
            if not is_schema_file(path) and not heads_of_view(path) and not path.endswith(ENDING):
                self.broken[contract_name(path) if is_head(path) else path] = ""
        self._almost()
        if not heads and not self.faults and not self.files.outside:
            raise ConfigurationError(
                f"no folder has a {CONTRACT_FILE}",
                where=self.root,
                fix=f"run contracts init, or add {self.root}/<topic>/{CONTRACT_FILE} (docs/reference/contract.md)",
            )
        specs = {path: spec for path in heads if (spec := self._spec(path))}
        self._names(specs)
        everywhere = dict.fromkeys([*heads, *(join(one, CONTRACT_FILE) for one in self.broken)])
        own = {file for path in everywhere for file in self._named(path, specs.get(path))}
        lent = lent_by({path: text for path, text in texts.items() if is_schema_file(path)}, own)
        shared = SharedTypes(
            {
                path: text
                for path, text in texts.items()
                if is_schema_file(path) and (path not in own or path in lent)
            },
            self.root,
            stored=self.stored,
        )
        if not self.stored:
            for error in shared.faults():
                self._fault(error)
        for path, spec in specs.items():
            self._contract(path, spec, shared)
        self._agree()
        subjects = [subject for contract in self.contracts.values() for subject in contract.subjects]
        catalog = Catalog(self.root, MappingProxyType(self.contracts), types_of(subjects))
        unused = {} if self.broken or self.stored or self.files.outside else shared.unused(subjects)
        faults, broken = tuple(self.faults.values()), MappingProxyType(self.broken)
        return Loaded(catalog, faults, broken, MappingProxyType(unused), self.files.outside)

    def _fault(self, error: ConfigurationError, contract: str = "") -> None:
        self.faults.setdefault(_key(error), Fault(error, contract))

    def _almost(self) -> None:
        """Find files whose name is a slip, so that nobody would miss their contract."""
        for path in self.files.almost:
            what = f"the file is not read, because its name is not {CONTRACT_FILE}"
            self._fault(ConfigurationError(what, file=join(self.root, path), fix=f"rename it to {CONTRACT_FILE}"))
            self.broken[str(PurePosixPath(path).parent)] = ""

    def _spec(self, path: str) -> ContractSpec | None:
        text = self.files.texts[path]
        try:
            return parse_spec(text, join(self.root, path), frozenset(self.files.defaults.items()))
        except ConfigurationError as error:
            names = names_in(text, path)
            topic = names.topic if names else ""
            name = _name(path, topic)
            self.broken[name] = topic
            self._fault(error, name)
            return None

    def _names(self, specs: dict[str, ContractSpec]) -> None:
        """Take out contracts with the name of another one."""
        found: dict[str, str] = {}
        for path, spec in list(specs.items()):
            name = _name(path, spec.topic)
            if (other := found.setdefault(name, path)) != path:
                del specs[path]
                what = f"the contract in {join(self.root, other)} is called {name} too"
                fix = "rename the file or folder of one of the two, because commands know contracts by their names"
                self._fault(ConfigurationError(what, file=join(self.root, path), line=1, fix=fix), name)

    def _named(self, path: str, spec: ContractSpec | None) -> Collection[str]:
        """The files that a contract file names, or probably names."""
        if spec is None:
            return files_of(self.files.texts.get(path, ""), path)
        return [beside(_folder(path), one) for one in (spec.key, spec.value) if one]

    def _contract(self, path: str, spec: ContractSpec, shared: SharedTypes) -> None:
        name = _name(path, spec.topic)
        self.broken[name] = spec.topic
        where = join(self.root, path)
        try:
            key = self._subject(name, path, spec, "key", shared) if spec.key else None
            value = self._subject(name, path, spec, "value", shared)
            if value is None or (spec.key and key is None):
                return
            contract = Contract(name, where, spec, key, value, said=frozenset(spec.model_fields_set))
            enveloped.check(contract)
            rows = contract.rows.value.schema
            rules = reading.read(spec.rules, rows, lambda *at: (where, self._line(path, "rules", *at)))
            views = view_files.read(self.views.get(path, {}), self.files.texts, self.root, path, spec)
            contract = replace(contract, rules=rules, views=views)
            primary_keys.check(contract.rows)
            masks.check(spec.masks, rows, spec.tables, where, lambda *at: self._line(path, "masks", *at))
            source_fields.check(contract)
        except ConfigurationError as error:
            if error.file == where and error.path and not error.line:
                error = error.at(self._line(path, *error.path.split(".")))
            self._fault(error, name)
            return
        del self.broken[name]
        self.contracts[name] = contract

    def _agree(self) -> None:
        """Take out the contracts that do not agree with others about a topic or a subject."""
        self.contracts, errors = sharing.agreed(self.contracts.values())
        for name, error in errors.items():
            contract = self.contracts.pop(name)
            file = PurePosixPath(error.file).relative_to(self.root).as_posix()
            self.broken[name] = contract.topic
            self._fault(error.at(self._line(file, *error.path.split("."))), name)

    def _subject(
        self, name: str, head: str, spec: ContractSpec, role: Literal["key", "value"], shared: SharedTypes
    ) -> Subject | None:
        """None if it cannot be read."""
        file = spec.value if role == "value" else spec.key or ""
        path = beside(_folder(head), file)
        shown = join(self.root, path)
        if path not in self.files.texts:
            known = next((one for one in self.files.faults if one.file == shown), None)
            if known is None:
                self._fault(missing(role, file, head, self.files, self.root, self._line(head, role)), name)
            else:
                self.faults[_key(known)] = Fault(known, name)
            return None
        try:
            found = shared.subject("", role, shown, self.files.texts[path])
            return replace(found, name=self._subject_name(spec, role, found, join(self.root, head)))
        except ConfigurationError as error:
            if error.path and not error.line:
                error = error.at(self._line(head, error.path))
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

    def _line(self, path: str, *keys: str | int) -> int:
        text = self.files.texts[path]
        node = yaml_text.compose(header_of(text) if heads_of_view(path) else text)
        assert node is not None  # it has already been parsed
        return line_of(node, list(keys))


def _key(error: ConfigurationError) -> tuple[str, int, int, str]:
    return error.file, error.line, error.column, error.what


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()


def _name(path: str, topic: str) -> str:
    name = contract_name(path)
    return name if name != "." else topic


def _types_of(contracts: Iterable[Contract]) -> tuple[Subject, ...]:
    return types_of(subject for contract in contracts for subject in contract.subjects)
