"""Loads `schemas/` as contracts: reads the files, resolves their references, and says what is wrong and where.

A folder with a `contract.yaml` is a contract.  Every other `.avsc` below the root (whichever folder it is in) defines
one shared named type, which is registered under its full name as the subject, and found by that name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from contracts.avro import shapes
from contracts.avro.nodes import Record, Union
from contracts.catalog import yaml_text
from contracts.catalog.contract import DELETIONS, Contract, ContractSpec, Subject, types_of
from contracts.catalog.shared_types import SharedTypes
from contracts.catalog.spec import line_of, parse_spec
from contracts.errors import ConfigurationError
from contracts.listing import few
from contracts.quality import reading

CONTRACT_FILE = "contract.yaml"
# A field of one of these types has the same value in a key, in every store and in its driver.
_DELETABLE = frozenset({"boolean", "int", "long", "string", "enum", "bytes", "fixed", "uuid", "date"})
_LONGEST_TABLE = 48  # Cassandra's limit


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
        """Every subject that the repository owns, references first."""
        return self.types + tuple(s for contract in self.contracts.values() for s in contract.subjects)

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


def load(folder: Path) -> Catalog:
    """Load the contracts below `folder`.

    Raises:
        ConfigurationError: the folder does not exist, has no contract, or has an invalid contract.yaml.
        InvalidSchema: an .avsc is not a valid Avro schema.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "the folder does not exist", where=str(folder), fix="run from the repository's root, or set CONTRACTS_DIR"
        )
    return from_files(read_folder(folder), str(folder))


def load_one(folder: Path, name: str) -> Contract:
    """Load the contract `name` below `folder`.  Raises as `load` and `Catalog.get`."""
    return load(folder).get(name)


def read_folder(folder: Path) -> dict[str, str]:
    """Read every contract.yaml and .avsc: path below `folder` (POSIX) -> text, sorted."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if is_contract_file(path.name) and path.is_file():
            try:
                files[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise ConfigurationError(
                    f"not UTF-8: {error.reason} at byte {error.start}", where=str(path), fix="save it as UTF-8"
                ) from None
    return files


def is_contract_file(path: str) -> bool:
    """Whether `from_files` reads the file: a contract.yaml or an .avsc."""
    return path.endswith(".avsc") or PurePosixPath(path).name == CONTRACT_FILE


def from_files(files: Mapping[str, str], root: str) -> Catalog:
    """Load contracts from file texts (see `read_folder`); `root` is only for messages.  Raises as `load`."""
    folders = [str(PurePosixPath(path).parent) for path in files if PurePosixPath(path).name == CONTRACT_FILE]
    if not folders:
        raise ConfigurationError(
            f"no folder has a {CONTRACT_FILE}",
            where=root,
            fix=f"add {root}/<topic>/{CONTRACT_FILE} (docs/reference/contract.md)",
        )
    specs = {
        folder: parse_spec(files[_join(folder, CONTRACT_FILE)], _join(root, folder, CONTRACT_FILE))
        for folder in folders
    }
    own = {_join(folder, name) for folder, spec in specs.items() for name in (spec.key, spec.value) if name}
    shared = SharedTypes(
        {path: text for path, text in files.items() if path.endswith(".avsc") and path not in own}, root
    )
    shared.check_unique()
    contracts = {}
    topics: dict[str, str] = {}
    tables: dict[tuple[str, str], str] = {}
    for folder, spec in specs.items():
        where = _join(root, folder, CONTRACT_FILE)
        if spec.topic in topics:
            raise ConfigurationError(
                f"topic {spec.topic} already has a contract, {topics[spec.topic]}",
                where=where,
                fix="a topic has one contract: change the topic of one of them, or merge the two folders",
            )
        topics[spec.topic] = where
        for sink in spec.tables:
            if (other := tables.setdefault((sink.kind, sink.qualified), where)) != where:
                raise ConfigurationError(
                    f"{other} already writes to the {sink.kind} table {sink.qualified}",
                    where=where,
                    fix="a table has one contract: name another table in the sinks",
                )
        name = folder if folder != "." else spec.topic
        contracts[name] = _build(name, folder, spec, files, root, shared)
    return Catalog(root, MappingProxyType(contracts), _types_of(contracts.values()))


def _types_of(contracts: Iterable[Contract]) -> tuple[Subject, ...]:
    return types_of(subject for contract in contracts for subject in contract.subjects)


def _build(
    name: str, folder: str, spec: ContractSpec, files: Mapping[str, str], root: str, shared: SharedTypes
) -> Contract:
    where = _join(root, folder, CONTRACT_FILE)

    def subject(role: Literal["key", "value"], file_name: str) -> Subject:
        path = _join(folder, file_name)
        if path not in files:
            raise ConfigurationError(
                f"{role}: the file {file_name} does not exist",
                where=where,
                fix=f"add {_join(root, path)}, or correct `{role}:` in {where}",
            )
        return shared.subject(f"{spec.topic}-{role}", role, _join(root, path), files[path])

    key = subject("key", spec.key) if spec.key else None
    value = subject("value", spec.value)

    def line_of_rule(number: int, key: str) -> str:
        node = yaml_text.compose(files[_join(folder, CONTRACT_FILE)])
        assert node is not None  # it has already been parsed
        return f"{where}:{line_of(node, ['rules', number, key])}"

    contract = Contract(name, where, spec, key, value, reading.read(spec.rules, value.schema, line_of_rule))
    _check_sinks(contract)
    return contract


def _check_sinks(contract: Contract) -> None:
    if not contract.sinks:
        return
    schema = contract.value.schema
    root = schema.resolve(schema.root)
    if not isinstance(root, Record):
        raise ConfigurationError(
            "a contract with sinks needs a record as its value",
            where=contract.value.file,
            fix="wrap the type in a record",
        )
    names = [f.name for f in root.fields]
    for sink in contract.sinks:
        for column in sink.primary_key:
            if column not in names:
                raise ConfigurationError(
                    f"sinks.{sink.kind}.primary_key: there is no field {column!r}",
                    where=contract.file,
                    fix=f"fields of {contract.value.file}: {', '.join(names)}",
                )
            field = root.by_name[column]
            if isinstance(schema.resolve(field.type), Union):
                raise ConfigurationError(
                    f"sinks.{sink.kind}.primary_key: field {column!r} may be null",
                    where=f"{contract.value.file}:{field.line}",
                    fix="give the field one type without null, because a primary key is never null",
                )
    if contract.deletes:
        _check_tombstones(contract)


def _check_tombstones(contract: Contract) -> None:
    """A tombstone has only a key, which must name one row in each store."""
    assert contract.key is not None
    schema, values = contract.key.schema, contract.value.schema
    root = schema.resolve(schema.root)
    line = f"{contract.key.file}:{root.line}"
    if not isinstance(root, Record):
        raise ConfigurationError(
            "tombstones: delete needs a record as its key", where=line, fix="wrap the type in a record, or set reject"
        )
    for sink in contract.sinks:
        if len(sink.table) > (longest := _LONGEST_TABLE - len(DELETIONS)):
            raise ConfigurationError(
                f"tombstones: delete needs a table <table>{DELETIONS}, but the name {sink.table} is too long",
                where=contract.file,
                fix=f"name a table of at most {longest} characters in sinks.{sink.kind}, or set reject",
            )
        for column in sink.primary_key:
            field = root.by_name.get(column)
            if field is None:
                raise ConfigurationError(
                    f"tombstones: delete needs the primary key in the record's key, which has no field {column!r}",
                    where=line,
                    fix=f"add the field ({sink.kind}.primary_key is {', '.join(sink.primary_key)}), or set reject",
                )
            nodes = schema.resolve(field.type), values.resolve(contract.value.record.by_name[column].type)
            mine, theirs = map(shapes.type_name, nodes)
            if mine != theirs or nodes[0].type != nodes[1].type or mine not in _DELETABLE:
                raise ConfigurationError(
                    f"tombstones: delete cannot find rows by {column!r}, {mine} in the key and {theirs} in the value",
                    where=f"{contract.key.file}:{field.line}",
                    fix=f"give both the same type, one of {', '.join(sorted(_DELETABLE))}; or set reject",
                )


def _join(*parts: str) -> str:
    return PurePosixPath(*parts).as_posix()
