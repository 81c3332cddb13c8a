"""Makes the files of a repository from a registry and its topics.

`read` asks the servers, `files_of` is pure, `write` never overwrites.  A subject of a value becomes a contract if its
topic is known (see `subject_topics`); types that the newest versions refer to become shared types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import NamedType, Schema, Union
from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import Compatibility, SubjectStrategy
from avro_data_contracts.contracts.catalog.folder import CONTRACT_FILE, Folder, read_folder
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, InvalidSchema, ServiceError
from avro_data_contracts.contracts.registry import subject_topics
from avro_data_contracts.contracts.registry.client import MOST_LISTED
from avro_data_contracts.contracts.registry.contexts import is_qualified
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.plan import TopicState
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.registered import AVRO, Config, RegisteredSchema, metadata_in_words
from avro_data_contracts.contracts.registry.snapshot import Snapshot

_UNSAFE = re.compile(r"[^a-zA-Z0-9._-]")
_HEAD = """\
# Pulled from a registry.  Fill in owner, description, sinks and consumers (docs/reference/contract.md).
"""


@dataclass(frozen=True)
class Live:
    """The state of the servers.

    Args:
        subjects: the newest version of each wanted subject, and the level that applies to it.
        referred: the versions that these refer to, directly or not, by subject and version.
        topics: by name, including dead-letter topics; None for a topic that does not exist.  None if there is no
            broker to ask.
        others: subjects that do not belong to a topic.
        configs: the settings of each subject itself.
        values: the topics of the subjects of values that are not `<topic>-value`.
    """

    subjects: Mapping[str, tuple[RegisteredSchema, str]]
    referred: Mapping[tuple[str, int], RegisteredSchema]
    topics: Mapping[str, TopicState | None] | None
    others: tuple[str, ...] = ()
    configs: Mapping[str, Config] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Pulled:
    """The files of a repository, and what a reader should know about them.

    Args:
        files: path below the folder -> text.
        topics: those with a contract, once for each.
        left_out: subject -> why it is in no file.
        notes: differences that `contracts drift` will still find.
    """

    files: dict[str, str] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(servers: Servers, only: Collection[str] = ()) -> Live:
    """Read the newest versions of all subjects, or of those that `only` names.

    Args:
        only: topics, or `SUBJECT=TOPIC` for a subject that does not say its topic.

    Raises:
        ServiceError: the registry or the cluster does not answer, or refuses.
        ConfigurationError: there is no such subject, or a topic has none.
    """
    registry = servers.registry
    asked = [one for one in only if "=" not in one]
    told: dict[str, list[str]] = {}
    for pair in only:
        subject, equals, belongs_to = pair.rpartition("=")
        if equals:
            told.setdefault(subject, []).append(belongs_to)
    names = registry.subjects() if asked or not only else []
    if only:
        names = [one for one in names if any(one.startswith(f"{topic}-") for topic in asked)]
        names += [f"{topic}-{role}" for topic in asked for role in ("key", "value")]
        names += [*told, *(f"{topic}-key" for topics in told.values() for topic in topics)]
        names = list(dict.fromkeys(names))
    subjects: dict[str, tuple[RegisteredSchema, str]] = {}
    referred: dict[tuple[str, int], RegisteredSchema] = {}
    configs: dict[str, Config] = {}
    snapshot = Snapshot(registry)
    candidates = sorted(name for name in names if name in told or not is_qualified(name))
    newest_of = each(registry.version, candidates, registry.parallel)
    everything = [(name, newest) for name, newest in zip(candidates, newest_of, strict=True) if newest is not None]
    values = {name: topics for name, newest in everything if (topics := subject_topics.of(name, newest, told))}
    belongs = {name: values.get(name) or subject_topics.of_role(name) for name, _ in everything}
    wanted = {*asked, *(topic for several in told.values() for topic in several)}
    there = [one for one in everything if (wanted.intersection(belongs[one[0]]) if only else belongs[one[0]])]
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
    known = {topic for name in subjects if name in values or name.endswith("-value") for topic in belongs[name]}
    missing = [f"{topic}-value" for topic in asked if topic not in known]
    missing += [name for name in told if name not in subjects]
    if missing or not subjects:
        raise ConfigurationError(
            f"there is no subject {', '.join(missing) or 'TOPIC-value'}",
            where=f"schema registry {registry.url}",
            fix="name a topic whose value has a subject, or the topic of a subject: --topic SUBJECT=TOPIC",
        )
    states = None
    if servers.topics.configured:
        listed = sorted({topic for name in subjects for topic in belongs[name]})
        states = servers.topics.read([name for topic in listed for name in (topic, f"{topic}.dlq")])
    others = tuple(sorted(name for name in names if not only and name not in subjects))
    values = {name: found for name, found in values.items() if name in subjects}
    return Live(subjects, referred, states, others, configs, values)


def files_of(live: Live, owner: str, default: str = SubjectStrategy.TopicName.value) -> Pulled:
    """Make the files.  A subject that no contract can describe is left out, with the reason.

    Args:
        default: the strategy of contracts that name none.
    """
    pulled = Pulled()
    named = {subject for subject, _ in live.referred}
    for name in live.others:
        if name not in named:
            pulled.left_out[name] = (
                "it belongs to another context: pull from the URL of that context"
                if is_qualified(name)
                else "its name does not say its topic, and no other subject refers to it; if it is the value of a "
                f"topic, add `--topic {name}=TOPIC`"
            )
    if len(live.subjects) + len(live.others) == MOST_LISTED:
        pulled.notes.append(f"the registry listed exactly {MOST_LISTED:,} subjects: it may have more")
    if live.topics is None:
        pulled.notes.append(
            "topics were not checked (KAFKA_BOOTSTRAP_SERVERS is empty), so the contracts say `kafka: external`"
        )
    units = _units(live)
    folder = "types"
    while any(unit.folder == folder for unit in units):
        folder += "_"
    for topic in dict.fromkeys(unit.topic for unit in units):
        mine = [unit for unit in units if unit.topic == topic]
        # Of several contracts, one says what concerns the topic.
        before: list[_Topic] = []
        for unit in mine:
            one = _Topic(live, unit, folder, owner, pulled, default, before, alone=len(mine) == 1)
            if one.add():
                before.append(one)
    return pulled


@dataclass(frozen=True)
class _Unit:
    """A contract to be: its folder, its topic, the subject of its value, and whether that is not `<topic>-value`."""

    folder: str
    topic: str
    value: str
    named: str = ""


def _units(live: Live) -> list[_Unit]:
    of_records = {topic for topics in live.values.values() for topic in topics}
    found: dict[str, _Unit] = {}
    for name in live.subjects.keys() - live.values.keys():
        for topic in subject_topics.of_role(name):
            if name.endswith("-value") or topic not in of_records:
                found[topic] = _Unit(topic, topic, f"{topic}-value")
    for name, topics in sorted(live.values.items()):
        record = subject_topics.fullname(live.subjects[name][0])
        for topic in topics:
            folder = f"{topic}-{_UNSAFE.sub('_', record or name)}"
            while folder in found:
                folder += "_"
            found[folder] = _Unit(folder, topic, name, record)
    return sorted(found.values(), key=lambda unit: unit.folder)


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
    there_now = read_folder(folder) if folder.is_dir() else Folder({}, defaults=project.find(folder).defaults)
    loading.read(replace(there_now, texts={**there_now.readable(), **pulled.files}), str(folder)).whole()
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
    """The files of one contract.

    Args:
        before: those of the same topic that were added already.
        alone: no other contract has the topic.
    """

    def __init__(
        self,
        live: Live,
        unit: _Unit,
        types: str,
        owner: str,
        pulled: Pulled,
        default: str,
        before: Sequence[_Topic],
        *,
        alone: bool,
    ) -> None:
        self.live = live
        self.unit = unit
        self.topic = unit.topic
        self.default = default
        self.before = before
        self.alone = alone
        self.names: frozenset[str] = frozenset()
        self.types = types
        self.owner = owner
        self.pulled = pulled
        self.parsed: dict[tuple[str, int], Schema] = {}
        named = {"key": f"{self.topic}-key", "value": unit.value}
        self.subjects = {
            role: live.subjects[name]
            for role, name in named.items()
            if name in live.subjects and (role == "value" or not before)
        }
        self.named = {role: name for role, name in named.items() if role in self.subjects}

    def add(self) -> bool:
        """Add files and notes, and return True; or the reason, for a topic that no contract can describe."""
        try:
            files, notes = self._contract()
        except ContractsError as error:
            at = f" ({error.where})" if error.where else ""
            for role in self.subjects:
                if role == "value" or self.alone:
                    self.pulled.left_out[self.named[role]] = f"{error.what}{at}"
            return False
        for path, text in files.items():
            if self.pulled.files.setdefault(path, text) != text:
                notes.append(
                    f"{self.topic} refers to another version of {path}: a repository has one version of each type"
                )
        self.pulled.topics.append(self.topic)
        self.pulled.notes += notes
        return True

    def _contract(self) -> tuple[dict[str, str], list[str]]:
        if "value" not in self.subjects:
            raise ConfigurationError(f"there is no subject {self.unit.value}, and a contract needs a value")
        if not self.alone and not subject_topics.fullname(self.subjects["value"][0]):
            raise ConfigurationError(
                "the topic has several subjects, whose records are told apart by the names of their types, and this "
                "one has no name"
            )
        files: dict[str, str] = {}
        notes: list[str] = []
        levels = {role: level for role, (_, level) in self.subjects.items()}
        if len(set(levels.values())) > 1:
            notes.append(f"{self.topic}-key has level {levels['key']}; a contract has one level, that of the value")
        for role, (kept, _) in self.subjects.items():
            notes += self._left_behind(self.named[role], kept)
            schema = self._parse(kept)
            files[f"{self.unit.folder}/{role}.avsc"] = _pretty(kept, schema, self._named(kept))
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
                        f"{self.named[role]} refers to {name} as subject {subject}; here it is subject {name}, "
                        "which `contracts register` would create"
                    )
        spec = self._spec(levels["value"], notes)
        files[f"{self.unit.folder}/{CONTRACT_FILE}"] = _HEAD + yaml.safe_dump(
            spec, sort_keys=False, allow_unicode=True
        )
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
        self.names = made.value.names
        for other in self.before:
            if same := self.names & other.names:
                raise ConfigurationError(
                    f"it has records {min(same)} of the topic {self.topic}, like {other.unit.value}"
                )
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
        spec |= self._name()
        if self.before:
            return spec
        if self.live.topics is None:
            return {**spec, "kafka": "external"}
        for key, name in (("kafka", self.topic), ("dead_letter", f"{self.topic}.dlq")):
            state = self.live.topics[name]
            if state is None:
                notes.append(f"there is no topic {name}; `contracts register` would create it")
                continue
            spec[key] = {
                "partitions": state.partitions,
                "replication_factor": state.replication_factor,
                "config": dict(sorted(state.config.items())),
            }
        return spec

    def _name(self) -> dict[str, str]:
        """What names the subject of the value."""
        strategy = subject_topics.strategy(self.unit.value, self.topic, self.unit.named)
        if strategy is None:
            return {"subject": self.unit.value}
        implied = strategy is SubjectStrategy.TopicName and strategy.value == self.default
        return {} if implied else {"subject_strategy": strategy.value}

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
