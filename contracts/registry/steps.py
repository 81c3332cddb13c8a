"""The steps of a plan, which are printed, counted and carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from avro_data_contracts.contracts.catalog.contract import ApprovalSpec, DeadLetterSpec, Subject, TopicSpec


class Change(StrEnum):
    """The effect of a step on the subject's schema, its level or the topic: a new one, or a change."""

    new = "new"
    changed = "changed"
    deleted = "deleted"


@dataclass(frozen=True)
class SetLevel:
    """The subject's compatibility level becomes `new`."""

    subject: str
    old: str | None
    new: str

    @property
    def change(self) -> Change:
        return Change.changed if self.old else Change.new

    def __str__(self) -> str:
        return f"set level of {self.subject}: {self.old or 'none of its own'} -> {self.new}"


@dataclass(frozen=True)
class ApprovedBreak:
    """A break that the registry refuses at the contract's level, but that contract.yaml fully approves.

    Attributes:
        level: the level of the contract, which the subject has again afterwards.
        approvals: the approvals that cover the break.
    """

    level: str
    approvals: tuple[ApprovalSpec, ...]

    def __str__(self) -> str:
        told = "; ".join(
            f"{one.rule}{' at ' + one.path if one.path else ''} until {one.until}: {' '.join(one.reason.split())}"
            for one in self.approvals
        )
        return f"as an approved break of {self.level}, with the level at NONE while it is registered ({told})"


@dataclass(frozen=True)
class RegisterSchema:
    """The repository's schema becomes version `version` of its subject; `exists`: it already has others."""

    subject: Subject
    version: int
    approved: ApprovedBreak | None = None
    exists: bool = False

    @property
    def change(self) -> Change:
        return Change.changed if self.exists else Change.new

    def __str__(self) -> str:
        told = f"register {self.subject.name} version {self.version} from {self.subject.file}"
        return f"{told}, {self.approved}" if self.approved else told


@dataclass(frozen=True)
class CreateTopic:
    """A topic that does not exist."""

    topic: str
    settings: TopicSpec | DeadLetterSpec
    change: ClassVar[Change] = Change.new

    def __str__(self) -> str:
        spec = self.settings
        factor = "the broker's default" if spec.replication_factor == -1 else spec.replication_factor
        config = "".join(f", {key}={value}" for key, value in sorted(spec.config.items()))
        return f"create topic {self.topic}: {spec.partitions} partitions, replication factor {factor}{config}"


@dataclass(frozen=True)
class ConfigureTopic:
    """Settings of an existing topic that differ: name -> (old, new)."""

    topic: str
    changes: Mapping[str, tuple[str | None, str]]
    change: ClassVar[Change] = Change.changed

    def __str__(self) -> str:
        told = ", ".join(f"{key}: {old or 'default'} -> {new}" for key, (old, new) in sorted(self.changes.items()))
        return f"configure topic {self.topic}: {told}"


@dataclass(frozen=True)
class DeleteSubject:
    """Delete a subject that the repository owns but no contract declares, softly: its ids stay readable."""

    subject: str
    versions: tuple[int, ...]
    change: ClassVar[Change] = Change.deleted

    def __str__(self) -> str:
        word = "version" if len(self.versions) == 1 else "versions"
        return f"delete subject {self.subject}, softly: {word} {', '.join(map(str, self.versions))}"


Step = SetLevel | RegisterSchema | CreateTopic | ConfigureTopic | DeleteSubject


def name_of(step: Step) -> str:
    """The subject or the topic that a step is about."""
    if isinstance(step, (CreateTopic, ConfigureTopic)):
        return step.topic
    return step.subject if isinstance(step.subject, str) else step.subject.name
