"""Reads what the servers have, carries out a plan step by step, and reads back what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from contracts import plan
from contracts.catalog import Catalog
from contracts.contract import Compatibility, Subject
from contracts.errors import ContractsError, FindingsError, Interrupted, InvalidSchema, Refused, ServiceError
from contracts.nodes import Schema
from contracts.plan import (
    Actual,
    ConfigureTopic,
    CreateTopic,
    DeleteSubject,
    Plan,
    RegisterSchema,
    SetLevel,
    Step,
    SubjectState,
)
from contracts.registry import Known, Registry
from contracts.topics import Topics
from contracts.writing import normalised

_T = TypeVar("_T")


@dataclass(frozen=True)
class Servers:
    """The registry and the cluster that contracts are registered with."""

    registry: Registry
    topics: Topics

    def read(self, desired: Catalog) -> Actual:
        """Actual state of everything that `desired` names.  Raises ServiceError."""
        approving = {
            subject.name
            for contract in desired.contracts.values()
            if contract.spec.approvals
            for subject in contract.subjects
        }
        known = Known()
        subjects = {
            subject.name: self._subject(subject, known, with_history=subject.name in approving)
            for subject in desired.subjects
        }
        found = ((name, tuple(self.registry.versions(name))) for name in plan.undeclared(desired))
        extra = {name: versions for name, versions in found if versions}
        inherits = any(state.versions and state.level is None for state in subjects.values())
        global_level = self.registry.global_config().level if inherits else None
        return Actual(subjects, self.topics.read(plan.topic_names(desired)), extra, global_level)

    def carry_out(self, wanted: Plan, done: Callable[[Step], None] = lambda step: None) -> None:
        """Carries out the plan's steps in their order, and calls `done` after each.

        What the brokers would refuse is asked for before the first step, for they can be asked.

        Raises:
            FindingsError: the plan has conflicts; nothing was done.
            ServiceError: a step failed; the message says what was done and what was not.
            Interrupted: Ctrl-C; likewise.
        """
        if wanted.conflicts:
            raise FindingsError(
                "nothing was done, for no step can bring this about:\n  " + "\n  ".join(map(str, wanted.conflicts)),
                mend="correct the contract, or the servers",
            )
        self._try_topics(wanted.steps)
        for number, step in enumerate(wanted.steps):
            try:
                self._step(step)
            except ContractsError as error:
                error.what += _told_of_half(wanted.steps, number, refused=isinstance(error, Refused))
                raise
            except KeyboardInterrupt:
                told = "interrupted" + _told_of_half(wanted.steps, number, refused=False)
                raise Interrupted(told, mend="run `contracts plan` to see what is there now") from None
            done(step)

    def _try_topics(self, steps: tuple[Step, ...]) -> None:
        try:
            for step in steps:
                match step:
                    case CreateTopic(topic=name, settings=settings):
                        self.topics.try_create(
                            name, settings.partitions, settings.replication_factor, settings.config
                        )
                    case ConfigureTopic(topic=name, changes=changes):
                        self.topics.try_config(name, {key: new for key, (_, new) in changes.items()})
        except ServiceError as error:
            error.what += _told("done before it", ()) + _told("not done", steps)
            raise

    def _subject(self, subject: Subject, known: Known, *, with_history: bool) -> SubjectState:
        name = subject.name
        versions = tuple(self.registry.versions(name))
        found = self.registry.find(subject, known) if versions else None
        level = self.registry.level(name)
        if found is None:
            last = max(self.registry.versions(name, deleted=True), default=0)
            references_differ = bool(versions) and self._is_newest(subject, known)
            history = self._history(name, versions, known) if with_history else ()
            return SubjectState(level, versions, references_differ=references_differ, history=history, last=last)
        exact = normalised(self.registry.parse(found, known)) == normalised(subject.schema)
        return SubjectState(level, versions, found.version, exact)

    def _is_newest(self, subject: Subject, known: Known) -> bool:
        newest = self.registry.version(subject.name)
        try:
            return newest is not None and (
                normalised(self.registry.parse(newest, known)) == normalised(subject.schema)
            )
        except InvalidSchema:
            return False  # e.g. it is no Avro schema

    def _history(self, subject: str, versions: Sequence[int], known: Known) -> tuple[Schema, ...]:
        """Schemas of the versions; empty where one cannot be read, for then no break of it can be told."""
        kept = (self.registry.version(subject, number) for number in versions)
        try:
            return tuple(self.registry.parse(one, known) for one in kept if one is not None)
        except InvalidSchema:
            return ()

    def _step(self, step: Step) -> None:
        match step:
            case SetLevel(subject=name, new=level):
                self._set_level(name, level)
            case RegisterSchema(subject=subject, approved=None):
                self._register(subject)
            case RegisterSchema(subject=subject, approved=approved):
                self._register_break(subject, approved.level)
            case CreateTopic(topic=name, settings=settings):
                self.topics.create(name, settings.partitions, settings.replication_factor, settings.config)
                self._read_topic_back(name, settings.config, settings.partitions)
            case ConfigureTopic(topic=name, changes=changes):
                values = {key: new for key, (_, new) in changes.items()}
                self.topics.set_config(name, values)
                self._read_topic_back(name, values)
            case DeleteSubject(subject=name):
                self.registry.delete(name)
                if left := self._until(lambda: self.registry.versions(name), lambda left: not left):
                    raise self._not_kept(f"{name} was deleted, and still has versions {left}")

    def _set_level(self, name: str, level: str) -> None:
        self.registry.set_level(name, level)
        kept = self._until(lambda: self.registry.level(name), lambda kept: kept == level)
        if kept != level:
            raise self._not_kept(f"compatibility level of {name} is {kept}, not {level}")

    def _register_break(self, subject: Subject, level: str) -> None:
        """A registry judges at the level that the subject has: so it has none for as long as this takes.  Where this
        process dies in between, the level differs from the contract's, and the next plan sets it."""
        try:
            self._set_level(subject.name, Compatibility.NONE.value)
            self._register(subject)
        finally:
            try:
                self._set_level(subject.name, level)
            except ServiceError as error:
                error.what += f"\n  the level of {subject.name} may be NONE now, and the contract says {level}"
                error.mend += "; then run `contracts register`, which sets the level again"
                raise

    def _register(self, subject: Subject) -> None:
        references = self.registry.references_of(subject)
        if references is None:
            raise AssertionError(f"{subject.name} comes before a type that it refers to")
        schema_id = self.registry.register(subject.name, subject.registered_text, references)
        found = self._until(lambda: self.registry.find(subject), lambda found: found is not None)
        if found is None or found.schema_id != schema_id:
            raise self._not_kept(f"{subject.name} was registered as id {schema_id}, and does not read back as it was")

    def _read_topic_back(self, name: str, config: Mapping[str, str], partitions: int = 0) -> None:
        def lacking() -> list[str]:
            kept = self.topics.read([name])[name]
            if kept is None:
                return ["its creation"]
            lack = [key for key, value in config.items() if not plan.same_setting(kept.config.get(key), value)]
            return sorted(lack + ["partitions"] * (partitions not in (0, kept.partitions)))

        if lack := self._until(lacking, lambda lack: not lack):
            raise self._not_kept(f"topic {name} has not kept {', '.join(lack)}", server="kafka")

    def _until(self, read: Callable[[], _T], settled: Callable[[_T], bool]) -> _T:
        """What `read` says, as soon as it is `settled`; else what it says in the end.

        A broker answers before all brokers know, and so does a registry of several nodes.
        """
        waiting = Retrying(
            retry=retry_if_result(lambda one: not settled(one)),
            stop=stop_after_delay(self.topics.timeout_s),
            wait=wait_exponential(multiplier=0.05, max=1),
            retry_error_callback=lambda state: state.outcome.result(),
        )
        return waiting(read)

    def _not_kept(self, what: str, server: str = "registry") -> ServiceError:
        return ServiceError(
            f"{what}: the server took it and did not keep it",
            where=f"{self.registry.url}, {self.topics.bootstrap}",
            mend="run `contracts plan` to see what is there now",
            server=server,
        )


def _told_of_half(steps: tuple[Step, ...], number: int, *, refused: bool) -> str:
    """What became of the plan: a step that was refused was not done, of one that failed nobody knows."""
    before, at, after = steps[:number], steps[number : number + 1], steps[number + 1 :]
    told = _told("done before it", before)
    if refused:
        return told + _told("not done", at + after)
    return told + _told("may be done or not", at) + _told("not done", after)


def _told(title: str, steps: tuple[Step, ...]) -> str:
    return f"\n  {title}: " + ("; ".join(str(step) for step in steps) if steps else "nothing")
