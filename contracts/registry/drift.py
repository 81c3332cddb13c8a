"""Differences of registry and topics from the contracts: findings, each with the command that fixes it.

Pure.  A difference is a step in the plan of `register`, or something that no step can fix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.catalog import sharing
from avro_data_contracts.contracts.catalog.contract import Contract, Subject, types_of
from avro_data_contracts.contracts.catalog.findings import Finding, Severity, in_order
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.plan import Actual, Conflict
from avro_data_contracts.contracts.registry.steps import ConfigureTopic, CreateTopic, RegisterSchema, SetLevel, Step

_ERROR, _WARNING = Severity.error, Severity.warning

#: Id -> severity and purpose; docs/reference/drift.md has the same table.
DRIFT_RULES: Final[dict[str, tuple[Severity, str]]] = {
    "SUBJECT_MISSING": (_ERROR, "the registry does not have the subject"),
    "SCHEMA_DIFFERS": (_ERROR, "no version of the subject has the schema of the repository"),
    "REFERENCES_DIFFER": (_ERROR, "the newest version is the same schema with different references"),
    "NOT_LATEST": (_ERROR, "the registry has a newer version than the repository"),
    "LEVEL_DIFFERS": (_ERROR, "the subject has a different compatibility level"),
    "SUBJECT_EXTRA": (_ERROR, "the registry has a subject of the contract's topic that the contract lacks"),
    "TOPIC_MISSING": (_ERROR, "the topic does not exist"),
    "TOPIC_CONFIG_DIFFERS": (_ERROR, "a setting of the topic has a different value"),
    "TOPIC_DIFFERS": (_ERROR, "partitions or replication factor differ, and `register` cannot change them"),
    "TYPE_NOT_LATEST": (_WARNING, "a shared type has a newer version; schemas that refer to the older one keep it"),
    "LEVEL_INHERITED": (_WARNING, "the registry's global level applies: it is the same, until someone changes it"),
    "DOCS_DIFFER": (_WARNING, "the registry has different docs or aliases, and treats both schemas as the same"),
    "TAGS_DIFFER": (_WARNING, "the newest version has tags that the repository lacks; the next one will lack them"),
    "METADATA_EXTRA": (_WARNING, "the registry has metadata beside the schema, which a contract cannot hold"),
    "MODE_REFUSES": (_WARNING, "the registry or the subject is in a mode that refuses `register`"),
    "DEAD_LETTERS_MISSING": (_WARNING, "the dead-letter topic of a contract without sinks does not exist"),
}

_REGISTER = "run `contracts register`"


def find(desired: Catalog, actual: Actual, texts: Texts) -> tuple[Finding, ...]:
    """Return every difference.

    Args:
        actual: what `Servers.read` returns for `desired`.
        texts: the contract files, for lines.
    """
    wanted = plan.make(desired, actual)
    drift = _Drift(desired, actual, texts)
    found = [one for step in (*wanted.steps, *wanted.held) for one in drift.of_step(step)]
    found += [drift.of_conflict(conflict) for conflict in wanted.conflicts]
    found += [one for subject in desired.subjects for one in drift.of_versions(subject)]
    found += [drift.of_extra(name) for name in actual.extra]
    return in_order(found)


def compared_with(desired: Catalog, registry: str, bootstrap: str) -> str:
    """In words, what the contracts were compared with, and which topics were not checked."""
    outside = [one.topic for one in desired.contracts.values() if one.spec.kafka.external]
    if not bootstrap.strip():
        return f"the registry {registry}; topics were not checked, because KAFKA_BOOTSTRAP_SERVERS is empty"
    if not plan.topic_names(desired):
        return f"the registry {registry}; topics were not checked (`kafka: external`)"
    left_out = f", except topic {few(outside)} (`kafka: external`)" if outside else ""
    return f"the registry {registry} and Kafka {bootstrap}{left_out}"


class _Drift:
    def __init__(self, desired: Catalog, actual: Actual, texts: Texts) -> None:
        self.actual = actual
        self.texts = texts
        self.by_topic: dict[str, tuple[Contract, str]] = {}
        self.by_subject: dict[str, Contract] = {}
        self.by_subject |= sharing.owners(desired.contracts)
        for contract in desired.contracts.values():
            for name, place in ((contract.topic, "kafka"), (contract.dead_letter_topic, "dead_letter")):
                # Of several contracts, the one that says it.
                if name not in self.by_topic or place in contract.said:
                    self.by_topic[name] = (contract, place)
            for subject in (*contract.subjects, *types_of(contract.subjects)):
                self.by_subject.setdefault(subject.name, contract)

    def of_step(self, step: Step) -> Iterator[Finding]:
        match step:
            case RegisterSchema(subject=subject):
                yield self._of_schema(subject)
            case SetLevel(subject=name, old=old, new=new) if self.actual.subjects[name].versions:
                contract = self.by_subject[name]
                if old is None and self.actual.global_level == new:
                    message = f"the subject has no level of its own, but the global one is {new}, as in the contract"
                    yield self._finding("LEVEL_INHERITED", contract, message, _REGISTER, ["compatibility"], name)
                else:
                    has = f"level {old}" if old else "no level of its own"
                    message = f"the registry has {has}, the contract says {new}"
                    fix = f"{_REGISTER}, or correct the contract"
                    yield self._finding("LEVEL_DIFFERS", contract, message, fix, ["compatibility"], name)
            case CreateTopic(topic=name):
                contract, place = self.by_topic[name]
                unused = place == "dead_letter" and not contract.sinks
                rule = "DEAD_LETTERS_MISSING" if unused else "TOPIC_MISSING"
                yield self._finding(rule, contract, f"the topic {name} does not exist", _REGISTER, [place])
            case ConfigureTopic(topic=name, changes=changes):
                contract, place = self.by_topic[name]
                for key, (old, new) in sorted(changes.items()):
                    has = "the broker's default" if old is None else old
                    message = f"topic {name} has {key} {has}, the contract says {new}"
                    fix = f"{_REGISTER}, or correct the contract"
                    yield self._finding("TOPIC_CONFIG_DIFFERS", contract, message, fix, [place, "config", key])

    def _of_schema(self, subject: Subject) -> Finding:
        state = self.actual.subjects[subject.name]
        fix = f"{_REGISTER} (`contracts check --against registry` says what that breaks), or correct the file"
        if not state.versions:
            rule, message, fix = "SUBJECT_MISSING", "the registry does not have the subject", _REGISTER
        elif state.references_differ:
            rule = "REFERENCES_DIFFER"
            message = (
                f"version {state.versions[-1]} is the same schema, but refers to other versions or has them inline"
            )
        else:
            rule = "SCHEMA_DIFFERS"
            versions = ", ".join(map(str, state.versions))
            message = f"the registry has version {versions}, but none of them is the schema of the repository"
        return self._in_schema(rule, subject, message, fix)

    def of_versions(self, subject: Subject) -> Iterator[Finding]:
        state = self.actual.subjects[subject.name]
        if state.found is not None and state.found != state.versions[-1]:
            yield self._in_schema(
                "TYPE_NOT_LATEST" if subject.role == "type" else "NOT_LATEST",
                subject,
                f"the schema of the repository is version {state.found}, but the latest one in the registry is "
                f"{state.versions[-1]}",
                f"copy version {state.versions[-1]} into the file; or change the schema (its doc is enough) and run "
                "`contracts register`, because an old version never becomes the latest again",
            )
        if state.lost_tags:
            yield self._in_schema(
                "TAGS_DIFFER",
                subject,
                f"version {state.versions[-1]} has tags that the repository's schema lacks: {state.lost_tags}",
                plan.KEEP_TAGS[:1].lower() + plan.KEEP_TAGS[1:],
            )
        if state.metadata:
            yield self._in_schema(
                "METADATA_EXTRA",
                subject,
                f"version {state.versions[-1]} has metadata: {state.metadata}",
                "nothing to do: a new version inherits it; a deletion and a new registration remove it",
            )
        if not state.exact:
            yield self._in_schema(
                "DOCS_DIFFER",
                subject,
                f"version {state.found} has other docs or aliases than the repository",
                "nothing to do: this registry keeps the docs and aliases that were registered first",
            )

    def of_extra(self, name: str) -> Finding:
        topic, _, role = name.rpartition("-")
        contract, _ = self.by_topic[topic]
        return self._finding(
            "SUBJECT_EXTRA",
            contract,
            f"the registry has {name}, but the contract has no `{role}:`",
            f"run `contracts register --prune`, or name its schema with `{role}:` in the contract",
            [role],
            name,
        )

    def of_conflict(self, conflict: Conflict) -> Finding:
        if conflict.key == "mode":
            name = conflict.name
            contract = self.by_subject.get(name) or self.by_topic[name.rpartition("-")[0]][0]
            return self._finding("MODE_REFUSES", contract, conflict.what, conflict.fix, ["topic"], name)
        contract, place = self.by_topic[conflict.name]
        return self._finding("TOPIC_DIFFERS", contract, conflict.what, conflict.fix, [place, conflict.key])

    def _in_schema(self, rule: str, subject: Subject, message: str, fix: str) -> Finding:
        contract = self.by_subject[subject.name]
        severity = DRIFT_RULES[rule][0]
        return Finding(
            rule, severity, f"{subject.name}: {message}", fix, subject.file, contract=contract.name,
            subject=subject.name,
        )  # fmt: skip

    def _finding(
        self, rule: str, contract: Contract, message: str, fix: str, keys: list[str], subject: str = ""
    ) -> Finding:
        line, column = self.texts.position(contract.file, *keys)
        severity, path = DRIFT_RULES[rule][0], ".".join(keys)
        told = f"{subject}: {message}" if subject else message
        return Finding(rule, severity, told, fix, contract.file, line, column, path, contract.name, subject)
