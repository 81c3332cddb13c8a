"""`contracts init --from odcs`: contracts and schemas of documents of the Open Data Contract Standard 3.

A document that `contracts export odcs` wrote has everything, and becomes the same contract.  Of any other one, types
are inferred.  What is made is exported again and compared with the document, so every loss is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog import loading, yaml_text
from avro_data_contracts.contracts.catalog.contract import TOPIC_NAME, Contract
from avro_data_contracts.contracts.catalog.folder import CONTRACT_ENDING, Folder
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.export import odcs, yaml_out
from avro_data_contracts.contracts.start import losses, odcs_rules, odcs_types, samples
from avro_data_contracts.contracts.start.files import Started
from avro_data_contracts.contracts.start.layout import Made

#: More values than that are a mistake, or meant to keep whoever reads the file busy.
MOST_VALUES: Final = 1_000_000
_SAFE: Final = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*")
_NO_TOPIC, _NO_FIELD = re.compile(r"[^a-zA-Z0-9._-]"), re.compile(r"[^a-zA-Z0-9_]")
_UNITS: Final = {"d": 86_400_000, "day": 86_400_000, "days": 86_400_000, "h": 3_600_000, "hours": 3_600_000}
_LONGEST_DAYS: Final = 100_000_000
_HEAD: Final = "# Written by `contracts init` from {}.  All keys: contracts docs reference/contract\n"


@dataclass
class _Document:
    """A document, and what becomes of it.  `names`: of its contracts.  `notes`: what a person should know."""

    content: Mapping[str, Any]
    where: str
    files: dict[str, str] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def of(source: Path, folder: Path, keys: Mapping[str, str]) -> Started:
    """Decide which files to write.

    Args:
        keys: owner and compatibility of a contract whose document does not say them.

    Raises:
        ConfigurationError: the file cannot be read, or is not such a document.
    """
    try:
        return _of(source, folder, keys)
    except RecursionError:
        raise _wrong(str(source), "the document is nested too deep", "leave its deepest parts out") from None


def _of(source: Path, folder: Path, keys: Mapping[str, str]) -> Started:
    said = project.find(folder)
    top = said.schemas or folder
    given = {key: value for key, value in keys.items() if key not in said.defaults}
    texts: dict[str, str] = {}
    documents = []
    for content, where in _read(source):
        one = _Maker(_Document(content, where), given, source.name, texts).document()
        documents.append(one)
        texts |= one.files
    for path in texts:
        if (top / path).exists():
            fix = "move the file that is there, or name another folder; no file is ever overwritten"
            raise ConfigurationError("the file exists already", where=(top / path).as_posix(), fix=fix)
    defaults = {**said.defaults, **keys}
    current = loading.read(Folder(texts, defaults=defaults, root=source.name), source.name).whole()
    notes = [note for one in documents for note in (*one.notes, *_losses(one, current, texts))]
    if not said.file:
        texts[project.FILE] = '[contracts]\nschemas = "."\n'
    return Started(top, texts, [made for one in documents for made in one.made], notes=notes)


def is_document(source: str) -> bool:
    """Whether a file may be such a document, by its name."""
    return Path(source).suffix.lower() in (".yaml", ".yml")


def _read(source: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield each document of the file, with its place."""
    try:
        text = source.read_text(encoding="utf-8-sig")
        nodes = list(yaml.compose_all(text, Loader=yaml_text.Loader))
        if sum(yaml_text.size(node) for node in nodes if node is not None) > MOST_VALUES:
            raise _wrong(str(source), f"the file has more than {MOST_VALUES:,} values", "write fewer aliases (*name)")
        contents = list(yaml.load_all(text, Loader=yaml_text.Loader))
    except OSError as error:
        raise _wrong(str(source), f"cannot read: {error.strerror}", "name a file that you can read") from None
    except UnicodeDecodeError:
        raise _wrong(str(source), "the file is not UTF-8", "save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = f"not YAML: {error.problem}"
        raise ConfigurationError(what, file=str(source), line=line, fix="correct the line") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise _wrong(str(source), f"not YAML: {words}", "correct the file") from None
    found = [(one, node) for one, node in zip(contents, nodes, strict=True) if one is not None]
    if not found:
        raise _wrong(str(source), "the file is empty", "name a document with `kind: DataContract`")
    for one, node in found:
        where = f"{source}:{node.start_mark.line + 1}" if len(found) > 1 else str(source)
        if not isinstance(one, Mapping) or one.get("kind") != "DataContract":
            raise _wrong(where, "not a document of the Open Data Contract Standard", "it has `kind: DataContract`")
        if not re.fullmatch(r"v3\.\d+\.\d+", str(one.get("apiVersion"))):
            what = f"apiVersion is {one.get('apiVersion')!r}, and only versions 3 of the standard are read"
            raise _wrong(where, what, "export it as v3.1.0 from where it comes")
        yield odcs.plain(one), where


class _Maker:
    def __init__(self, made: _Document, keys: Mapping[str, str], file: str, taken: Mapping[str, str]) -> None:
        self._made = made
        self._content = made.content
        self._keys = keys
        self._file = file
        self._taken = taken

    def document(self) -> _Document:
        objects = self._list("schema")
        values = [one for one in objects if one.get("physicalType") != odcs.KEY]
        if not values:
            raise self._wrong("the document has no schema", "it needs an object with properties below `schema`")
        for one in values:
            topic = self._topic(one)
            keys = [
                key for key in objects if key not in values and key.get("physicalName") == one.get("physicalName")
            ]
            self._contract(one, keys[0] if keys else None, topic, len(values) == 1)
        return self._made

    def _contract(self, source: dict[str, Any], key: dict[str, Any] | None, topic: str, alone: bool) -> None:
        name = self._name(source, topic, alone)
        head = f"{name}{CONTRACT_ENDING}"
        if head in self._taken or head in self._made.files:
            raise self._wrong(f"two documents make a contract {name}", "give one of them another `name`")
        self._free(f"{name}.avsc")
        schema, text = self._schema(source, name)
        written = _custom(self._content, odcs.WRITTEN)
        contract: dict[str, Any] = {"topic": topic, **self._keys, **self._owner()}
        if purpose := self._purpose():
            contract["description"] = purpose
        if isinstance(written, Mapping):
            contract |= {one: value for one, value in written.items() if one not in contract or one in self._keys}
        else:
            rules, notes = odcs_rules.of(source, schema)
            contract |= {"kafka": {"config": {"retention.ms": ms}}} if (ms := self._retention()) else {}
            contract |= {"rules": rules} if rules else {}
            self._made.notes += [f"{name}: {one}" for one in notes]
        self._made.files[f"{name}.avsc"] = text
        if key is not None:
            file = f"{name}.key.avsc"
            self._free(file)
            self._made.files[file] = self._schema(key, f"{name}_key")[1]
            contract["key"] = file.rpartition("/")[2]
        hints = "" if isinstance(written, Mapping) else _hints(source, name)
        self._made.files[head] = _HEAD.format(self._file) + yaml_out.text(contract) + hints
        self._made.made.append(Made(head, schema.type.fullname if schema.type else "", topic, f"{name}.avsc"))

    def _free(self, path: str) -> None:
        """Refuse a path that another contract has: `a.key.avsc` is the key of `a`, and the value of `a.key`."""
        if path in self._taken or path in self._made.files:
            raise self._wrong(f"two contracts would write {path}", "give one of them another `name`")

    def _schema(self, source: dict[str, Any], name: str) -> tuple[Schema, str]:
        """The schema that the object has as Avro, or else one that its properties give."""
        avro = _custom(source, odcs.AVRO_SCHEMA)
        if isinstance(avro, str):
            where = f"{self._made.where}: {odcs.AVRO_SCHEMA} of {source.get('name')}"
            schema = parsing.parse(avro, where=where)
            try:
                return schema, json.dumps(json.loads(avro), indent=2, ensure_ascii=False) + "\n"
            except ValueError:  # it has a comment, which Avro allows
                return schema, avro
        types = odcs_types.Types()
        try:
            wanted = samples.type_name(str(source.get("name") or name))
            document = types.record(wanted, source, "", samples.NAMESPACE)
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            schema = parsing.parse(text, where=self._made.where)
        except RecursionError:
            raise self._wrong("a type is nested too deeply for a schema", "leave it out") from None
        self._made.notes += [f"{name}: {one}" for one in types.doubts]
        self._made.notes.append(f"{name}: decide the namespace {samples.NAMESPACE} before you register")
        return schema, text

    def _topic(self, source: Mapping[str, Any]) -> str:
        for one in (source.get("physicalName"), source.get("name")):
            if isinstance(one, str) and re.fullmatch(TOPIC_NAME, one) and len(one) <= 249:
                return one
        return _NO_TOPIC.sub("_", str(source.get("name") or self._content.get("id")))[:249].strip(".") or "topic"

    def _name(self, source: Mapping[str, Any], topic: str, alone: bool) -> str:
        wanted = self._content.get("name") if alone else source.get("name")
        if isinstance(wanted, str) and _SAFE.fullmatch(wanted) and len(wanted) <= 200:
            return wanted
        return re.sub(r"[^\w-]", "_", wanted if isinstance(wanted, str) and wanted else topic)[:200]

    def _owner(self) -> dict[str, str]:
        team = self._content.get("team")
        name = team.get("name") if isinstance(team, Mapping) else None
        if isinstance(name, str) and name:
            return {"owner": name}
        members = team if isinstance(team, list) else team.get("members") if isinstance(team, Mapping) else None
        for one in members if isinstance(members, list) else ():
            if isinstance(one, Mapping) and "owner" in str(one.get("role", "")).lower() and one.get("username"):
                return {"owner": str(one["username"])}
        return {}

    def _purpose(self) -> str:
        description = self._content.get("description")
        purpose = description.get("purpose") if isinstance(description, Mapping) else None
        return purpose if isinstance(purpose, str) else ""

    def _retention(self) -> str:
        for one in self._list("slaProperties", needed=False):
            value, unit = one.get("value"), _UNITS.get(str(one.get("unit")))
            if one.get("property") != "retention" or not unit or type(value) not in (int, float):
                continue
            if 0 < (days := float(str(value))) < _LONGEST_DAYS:  # not NaN either
                return str(int(days * unit))
        return ""

    def _list(self, key: str, needed: bool = True) -> list[dict[str, Any]]:
        found = self._content.get(key)
        if isinstance(found, list) and all(isinstance(one, dict) for one in found):
            return found
        if not needed:
            return []
        raise self._wrong(f"`{key}` is not a list of objects", f"see the standard's page about `{key}`")

    def _wrong(self, what: str, fix: str) -> ConfigurationError:
        return _wrong(self._made.where, what, fix)


def _hints(source: Mapping[str, Any], name: str) -> str:
    """A comment with the primary key of the object; empty if it has none."""
    listed = source.get("properties")
    keys = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    keys = [one for one in keys if one.get("primaryKey") is True]
    if not keys:
        return ""
    fields = ", ".join(_NO_FIELD.sub("_", str(one.get("name"))) for one in keys)
    table = _NO_FIELD.sub("_", name.rpartition("/")[2].lower())
    head = "# The document's primary key, for sinks:\n# sinks:\n#   postgres: "
    return f"{head}{{table: {table}, primary_key: [{fields}]}}\n"


def _losses(made: _Document, current: loading.Catalog, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield what the contracts of a document do not say of it."""
    contracts = [current.get(one.name) for one in made.made]
    heads = [one.path for one in made.made]
    again = _again(contracts, [texts[head] for head in heads], _custom(made.content, odcs.WRITTEN) is not None)
    given = {key: value for key, value in made.content.items() if key != "apiVersion"}
    for one in losses.told(given, again):
        yield f"lost: {one}"


def _again(contracts: Sequence[Contract], texts: Sequence[str], whole: bool) -> dict[str, Any]:
    documents = [odcs.of(one, "", text if whole else "") for one, text in zip(contracts, texts, strict=True)]
    return {**documents[0], "schema": [one for document in documents for one in document["schema"]]}


def _custom(holder: Mapping[str, Any], name: str) -> Any:
    """A custom property; None if it is not there."""
    listed = holder.get("customProperties")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and one.get("property") == name:
            return one.get("value")
    return None


def _wrong(where: str, what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(what, where=where, fix=fix)
