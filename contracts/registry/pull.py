"""Makes the files of a repository from a registry and its topics.

`read` asks the servers, `files_of` is pure, `write` never overwrites.  A topic with a subject `<topic>-value` (and
`<topic>-key`) becomes a contract; types that their newest versions refer to become shared types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import NamedType, Schema, Union
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Compatibility
from avro_data_contracts.contracts.catalog.folder import CONTRACT_FILE, read_folder
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, InvalidSchema, ServiceError
from avro_data_contracts.contracts.registry.client import MOST_LISTED
from avro_data_contracts.contracts.registry.contexts import is_qualified
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.plan import TopicState
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.registered import AVRO, Config, RegisteredSchema, metadata_in_words
from avro_data_contracts.contracts.registry.snapshot import Snapshot

_TOPIC = re.compile(r"(?!\.{1,2}-)([a-zA-Z0-9._-]{1,249})-(key|value)")
_HEAD = """\
# Pulled from a registry.  Fill in owner, description, sinks and consumers (docs/reference/contract.md).
"""


@dataclass(frozen=True)
class Live:
    """The state of the servers.

    Args:
        subjects: the newest version of each wanted subject, and the level that applies to it.
        referred: the versions that these refer to, directly or not, by subject and version.
        topics: by name, including dead-letter topics; None for a topic that does not exist.
        others: subjects that do not belong to a topic.
        configs: the settings of each subject itself.
    """

    subjects: Mapping[str, tuple[RegisteredSchema, str]]
    referred: Mapping[tuple[str, int], RegisteredSchema]
    topics: Mapping[str, TopicState | None]
    others: tuple[str, ...] = ()
    configs: Mapping[str, Config] = field(default_factory=dict)


@dataclass
class Pulled:
    """The files of a repository, and what a reader should know about them.

    Args:
        files: path below the folder -> text.
        topics: those with a contract.
        left_out: subject -> why it is in no file.
        notes: differences that `contracts drift` will still find.
    """

    files: dict[str, str] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(servers: Servers, only: Collection[str] = ()) -> Live:
    """Read the newest versions of all subjects, or of the subjects of the topics in `only`.

    Raises:
        ServiceError: the registry or the cluster does not answer, or refuses.
        ConfigurationError: a topic of `only` has no subject.
    """
    registry = servers.registry
    names = registry.subjects() if not only else [f"{topic}-{role}" for topic in only for role in ("key", "value")]
    subjects: dict[str, tuple[RegisteredSchema, str]] = {}
    referred: dict[tuple[str, int], RegisteredSchema] = {}
    configs: dict[str, Config] = {}
    snapshot = Snapshot(registry)
    wanted = sorted(name for name in names if _TOPIC.fullmatch(name))
    found = each(registry.version, wanted, registry.parallel)
    there = [(name, newest) for name, newest in zip(wanted, found, strict=True) if newest is not None]
    settings = each(lambda one: snapshot.config(one[0]), there, registry.parallel)
    for (name, newest), config in zip(there, settings, strict=True):
        configs[name] = config
        subjects[name] = (newest, config.level or snapshot.global_config().level or "")
        waiting = list(newest.references)
        while waiting:
            one = waiting.pop()
            if (one.subject, one.version) not in referred:
                type_ = registry.version(one.subject, one.version)
                if type_ is None:
                    raise ServiceError(
                        f"{name} refers to version {one.version} of {one.subject}, which does not exist",
                        where=f"schema registry {registry.url}",
                        fix="restore it in the registry, or leave the topic out: `contracts pull --topic …`",
                        server="registry",
                    )
                referred[one.subject, one.version] = type_
                waiting += type_.references
    missing = [topic for topic in only if f"{topic}-value" not in subjects]
    if missing or not subjects:
        told = f"{', '.join(f'{topic}-value' for topic in missing)}" if missing else "TOPIC-value"
        raise ConfigurationError(
            f"there is no subject {told}",
            where=f"schema registry {registry.url}",
            fix="name a topic whose value has a subject",
        )
    topics = dict.fromkeys(match[1] for match in map(_TOPIC.fullmatch, subjects) if match)
    states = servers.topics.read([name for topic in topics for name in (topic, f"{topic}.dlq")])
    others = tuple(sorted(name for name in names if not only and not _TOPIC.fullmatch(name)))
    return Live(subjects, referred, states, others, configs)


def files_of(live: Live, owner: str) -> Pulled:
    """Make the files.  A topic that no contract can describe is left out, with the reason."""
    pulled = Pulled()
    named = {subject for subject, _ in live.referred}
    for name in live.others:
        if name not in named:
            pulled.left_out[name] = (
                "it belongs to another context: pull from the URL of that context"
                if is_qualified(name)
                else "it is no topic's, and none of these refers to it"
            )
    if len(live.subjects) + len(live.others) == MOST_LISTED:
        pulled.notes.append(f"the registry listed exactly {MOST_LISTED:,} subjects: it may have more")
    topics = dict.fromkeys(match[1] for match in map(_TOPIC.fullmatch, live.subjects) if match)
    folder = "types"
    while folder in topics:
        folder += "_"
    for topic in topics:
        _Topic(live, topic, folder, owner, pulled).add()
    return pulled


def write(folder: Path, pulled: Pulled) -> None:
    """Write the files.

    Raises:
        ConfigurationError: a file already exists, the contracts conflict with existing ones, or the folder cannot be
            written.  Then nothing was written, except if a disk fails halfway, which the message says.
    """
    there = [path for path in pulled.files if (folder / path).exists()]
    if there:
        raise ConfigurationError(
            f"{len(there)} of {len(pulled.files)} files are there already, and nothing was written: "
            + ", ".join(there[:10])
            + (" …" if len(there) > 10 else ""),
            where=str(folder),
            fix="pull into another folder (--dir), or only what is missing (--topic); no file is ever overwritten",
        )
    if not pulled.files:
        return
    existing = read_folder(folder).readable() if folder.is_dir() else {}
    loading.from_files({**existing, **pulled.files}, str(folder))
    written = 0
    try:
        for path, text in pulled.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
            written += 1
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {error.filename}: {error.strerror}; {written} of {len(pulled.files)} files were written",
            where=str(folder),
            fix="make the folder writable, or pull into another one (--dir)",
        ) from None


class _Topic:
    """The files of one contract."""

    def __init__(self, live: Live, topic: str, types: str, owner: str, pulled: Pulled) -> None:
        self.live = live
        self.topic = topic
        self.types = types
        self.owner = owner
        self.pulled = pulled
        self.parsed: dict[tuple[str, int], Schema] = {}
        self.subjects = {
            role: live.subjects[f"{topic}-{role}"] for role in ("key", "value") if f"{topic}-{role}" in live.subjects
        }

    def add(self) -> None:
        """Add files and notes; or the reason, for a topic that no contract can describe."""
        try:
            files, notes = self._contract()
        except ContractsError as error:
            at = f" ({error.where})" if error.where else ""
            for role in self.subjects:
                self.pulled.left_out[f"{self.topic}-{role}"] = f"{error.what}{at}"
            return
        for path, text in files.items():
            if self.pulled.files.setdefault(path, text) != text:
                notes.append(f"{path} is another version than {self.topic} refers to: there is one of each type")
        self.pulled.topics.append(self.topic)
        self.pulled.notes += notes

    def _contract(self) -> tuple[dict[str, str], list[str]]:
        if "value" not in self.subjects:
            raise ConfigurationError(f"there is no {self.topic}-value, and a contract needs one")
        files: dict[str, str] = {}
        notes: list[str] = []
        levels = {role: level for role, (_, level) in self.subjects.items()}
        if len(set(levels.values())) > 1:
            notes.append(f"{self.topic}-key has level {levels['key']}; a contract has one, that of the value")
        for role, (kept, _) in self.subjects.items():
            notes += self._left_behind(f"{self.topic}-{role}", kept)
            schema = self._parse(kept)
            files[f"{self.topic}/{role}.avsc"] = _pretty(kept, schema, self._named(kept))
            for subject, one in self._referred(kept):
                inner = self._parse(one)
                name = getattr(inner.root, "fullname", "")
                if not name and isinstance(inner.root, Union):
                    name = next(iter(inner.own), "")  # several types in one text
                if not name:
                    raise ConfigurationError(f"{subject} has no name to refer to")
                files[f"{self.types}/{name}.avsc"] = _pretty(one, inner, self._named(one))
                if subject != name:
                    notes.append(
                        f"{self.topic}-{role} refers to {name} as subject {subject}; here it is subject {name}, "
                        "which `contracts register` would make"
                    )
        spec = self._spec(levels["value"], notes)
        files[f"{self.topic}/{CONTRACT_FILE}"] = _HEAD + yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
        self._same(files)
        return files, notes

    def _left_behind(self, subject: str, kept: RegisteredSchema) -> Iterator[str]:
        """Settings of a subject that no file can hold."""
        config = self.live.configs.get(subject, Config())
        settings = {
            "alias": config.alias,
            "compatibilityGroup": config.group,
            "normalize": "true" if config.normalizes else "",
        }
        listed = [f"{name} {value}" for name, value in settings.items() if value]
        if listed:
            yield f"{subject}: its settings {', '.join(listed)} stay in the registry alone"
        if metadata := metadata_in_words(kept.metadata):
            yield f"{subject}: its metadata ({metadata}) stays in the registry alone"

    def _same(self, files: Mapping[str, str]) -> None:
        """Check that today's rules accept the schemas, and that they mean what the registry has."""
        [made] = loading.from_files(files, "").contracts.values()
        for subject in made.subjects:
            if normalised(subject.schema) != normalised(self._parse(self.subjects[subject.role][0])):
                raise ConfigurationError(f"{subject.name} refers to several versions of one type")

    def _spec(self, level: str, notes: list[str]) -> dict[str, Any]:
        if level not in Compatibility.__members__:
            raise ConfigurationError(f"there is no compatibility level {level!r}")
        spec: dict[str, Any] = {"topic": self.topic, "owner": self.owner, "compatibility": level}
        if "key" in self.subjects:
            spec["key"] = "key.avsc"
        spec["value"] = "value.avsc"
        for key, name in (("kafka", self.topic), ("dead_letter", f"{self.topic}.dlq")):
            state = self.live.topics[name]
            if state is None:
                notes.append(f"there is no topic {name}; `contracts register` would make it")
                continue
            spec[key] = {
                "partitions": state.partitions,
                "replication_factor": state.replication_factor,
                "config": dict(sorted(state.config.items())),
            }
        return spec

    def _referred(self, kept: RegisteredSchema) -> Iterator[tuple[str, RegisteredSchema]]:
        """The versions that it refers to, directly or not, each once."""
        waiting, seen = list(kept.references), set()
        while waiting:
            reference = waiting.pop()
            if (key := (reference.subject, reference.version)) not in seen:
                seen.add(key)
                one = self.live.referred[key]
                waiting += one.references
                yield reference.subject, one

    def _named(self, kept: RegisteredSchema) -> dict[str, NamedType]:
        named: dict[str, NamedType] = {}
        for reference in kept.references:
            key = (reference.subject, reference.version)
            if key not in self.parsed:
                self.parsed[key] = self._parse(self.live.referred[key])
            named.update(self.parsed[key].named)
        return named

    def _parse(self, kept: RegisteredSchema) -> Schema:
        if kept.kind != AVRO:
            raise ConfigurationError(f"{kept.subject} is a {kept.kind} schema, and contracts are Avro")
        return parsing.parse_stored(
            kept.text, where=f"{kept.subject} version {kept.version}", named=self._named(kept)
        )


def _pretty(kept: RegisteredSchema, schema: Schema, named: Mapping[str, NamedType]) -> str:
    """The schema's text on several lines; unchanged if that would not be the same schema."""
    try:
        text = _indented(kept.text)
        if normalised(parsing.parse_stored(text, named=named)) == normalised(schema):
            return text + "\n"
    except (ValueError, RecursionError, InvalidSchema):
        pass
    return kept.text


def _indented(text: str) -> str:
    document = json.loads(text)
    found = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        found.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which a file can only contain as an escape
        found = json.dumps(document, indent=2)
    return found
