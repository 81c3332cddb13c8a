"""Reads the state of the servers, carries out a plan step by step, and reads back what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_exponential

from avro_data_contracts.contracts.catalog.choices import Compatibility
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ContractsError, Interrupted, Refused, ServiceError
from avro_data_contracts.contracts.registry import actual, plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.http import concerns_all
from avro_data_contracts.contracts.registry.plan import Actual, Plan
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.registry.steps import (
    ApprovedBreak,
    ConfigureTopic,
    CreateTopic,
    DeleteSubject,
    RegisterSchema,
    SetLevel,
    Step,
)
from avro_data_contracts.contracts.registry.topics import Topics

_T = TypeVar("_T")


@dataclass(frozen=True)
class Servers:
    """The registry and the cluster that contracts are registered with."""

    registry: Registry
    topics: Topics

    def read(self, desired: Catalog, *, verdicts: bool = False) -> Actual:
        """Read the actual state of everything that `desired` names.  Raises ServiceError.

        Args:
            verdicts: also ask the registry which of the new versions it would refuse.
        """
        return actual.read(self.registry, self.topics, desired, verdicts=verdicts)

    def carry_out(self, wanted: Plan, done: Callable[[Step], None] = lambda step: None) -> None:
        """Carry out the plan's steps in their order, and call `done` after each.

        Before the first step, the brokers check which steps they would refuse.  If a server refuses a step, the other
        steps of its contracts are skipped, but those of all other contracts are done.

        Raises:
            Refused: a server refused one or more steps; the message says what was done and what was not.
            ServiceError: a step failed because of the server, so no later step was tried; the message says the same.
            Interrupted: Ctrl-C; the message says the same.
        """
        run = _Run(wanted)
        self._try_topics(run)
        for number, step in enumerate(wanted.steps):
            if not run.goes_on(number):
                continue
            try:
                self._step(step)
            except ContractsError as error:
                if isinstance(error, Refused) and not concerns_all(error):
                    run.refuse(number, error)
                    continue
                told = run.told_of_half(number, refused=isinstance(error, Refused))
                raise error.but(what=error.what + told) from error
            except KeyboardInterrupt:
                told = "interrupted" + run.told_of_half(number, refused=False)
                raise Interrupted(told, fix="run `contracts plan` to see what is there now") from None
            run.done.append(number)
            done(step)
        run.end()

    def _try_topics(self, run: _Run) -> None:
        for number, step in enumerate(run.wanted.steps):
            try:
                match step:
                    case CreateTopic(topic=name, settings=settings):
                        self.topics.try_create(
                            name, settings.partitions, settings.replication_factor, settings.config
                        )
                    case ConfigureTopic(topic=name, changes=changes):
                        self.topics.try_config(name, {key: new for key, (_, new) in changes.items()})
            except Refused as error:
                run.refuse(number, error)
            except ServiceError as error:
                told = _told("done before it", ()) + _told("not done", run.wanted.steps)
                raise error.but(what=error.what + told) from error

    def _step(self, step: Step) -> None:
        match step:
            case SetLevel(subject=name, new=level):
                self._set_level(name, level)
            case RegisterSchema(subject=subject, approved=None):
                self._register(subject)
            case RegisterSchema(subject=subject, approved=ApprovedBreak() as approved):
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
                    raise self._not_kept(f"{name} was deleted, but still has versions {left}")

    def _set_level(self, name: str, level: str) -> None:
        self.registry.set_level(name, level)
        kept = self._until(lambda: self.registry.level(name), lambda kept: kept == level)
        if kept != level:
            raise self._not_kept(f"compatibility level of {name} is {kept}, not {level}")

    def _register_break(self, subject: Subject, level: str) -> None:
        """Register a version that the level of the subject forbids: the level is NONE meanwhile.

        If this process dies in between, the level differs from the contract's, and the next plan sets it again.
        """
        try:
            self._set_level(subject.name, Compatibility.NONE.value)
            self._register(subject)
        finally:
            try:
                self._set_level(subject.name, level)
            except ServiceError as error:
                what = f"\n  the level of {subject.name} may be NONE now, and the contract says {level}"
                fix = "; then run `contracts register`, which sets the level again"
                raise error.but(what=error.what + what, fix=error.fix + fix) from error

    def _register(self, subject: Subject) -> None:
        references = Snapshot(self.registry).references_of(subject)
        if references is None:
            raise AssertionError(f"{subject.name} comes before a type that it refers to")
        schema_id = self.registry.register(subject.name, subject.registered_text, references)
        found = self._until(lambda: Snapshot(self.registry).find(subject), lambda found: found is not None)
        if found is None or found.schema_id != schema_id:
            raise self._not_kept(f"{subject.name} was registered as id {schema_id}, but does not read back the same")

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
        """Return the result of `read` as soon as it is `settled`, or else the last result.

        A broker answers before all brokers know of a change, and so does a registry of several nodes.
        """
        waiting = Retrying(
            retry=retry_if_result(lambda one: not settled(one)),
            stop=stop_after_delay(self.topics.timeout_s),
            wait=wait_exponential(multiplier=0.05, max=1),
            retry_error_callback=_last,
        )
        return waiting(read)

    def _not_kept(self, what: str, server: str = "registry") -> ServiceError:
        return ServiceError(
            f"{what}: the server accepted the change, but did not keep it",
            where=f"{self.registry.url}, {self.topics.bootstrap}",
            fix="run `contracts plan` to see what is there now",
            server=server,
        )


class _Run:
    """The progress of a plan.

    Attributes:
        done: numbers of the steps that were done.
        refused: number of the step, the refusal, and how many steps were done by then.
    """

    def __init__(self, wanted: Plan) -> None:
        self.wanted = wanted
        self.done: list[int] = []
        self.refused: list[tuple[int, Refused, int]] = []
        self._stopped: set[str] = set()

    def goes_on(self, number: int) -> bool:
        """Whether the step belongs to a contract that no server refused anything."""
        owners = self.wanted.owners[number]
        return all(number != one for one, _, _ in self.refused) and (not owners or not owners <= self._stopped)

    def refuse(self, number: int, error: Refused) -> None:
        self.refused.append((number, error, len(self.done)))
        self._stopped |= self.wanted.owners[number]

    def told_of_half(self, number: int, *, refused: bool) -> str:
        """What became of the plan: a refused step was not done; a failed step may have been done."""
        steps = self.wanted.steps
        left = [one for one in range(len(steps)) if one != number and one not in self.done]
        told = _told("done before it", self._steps(self.done))
        if refused:
            return told + _told("not done", self._steps(sorted([number, *left])))
        return told + _told("may be done or not", (steps[number],)) + _told("not done", self._steps(left))

    def end(self) -> None:
        """Raise all refusals as one error."""
        if not self.refused:
            return
        left = [number for number in range(len(self.wanted.steps)) if number not in self.done]
        _, error, by_then = self.refused[0]
        if len(self.refused) == 1:
            what = error.what + _told("done before it", self._steps(self.done[:by_then]))
            if after := self._steps(self.done[by_then:]):
                what += _told("done after it, for other contracts", after)
        else:
            what = "\n  ".join([f"{len(self.refused)} steps were refused", *(one.what for _, one, _ in self.refused)])
            what += _told("done", self._steps(self.done))
        what += _told("not done", self._steps(left))
        what += "".join(f"\n  conflict: {one}" for one in self.wanted.conflicts)
        raise error.but(what=what, fix="; ".join(dict.fromkeys(one.fix for _, one, _ in self.refused)))

    def _steps(self, numbers: Sequence[int]) -> tuple[Step, ...]:
        return tuple(self.wanted.steps[number] for number in numbers)


def _told(title: str, steps: tuple[Step, ...]) -> str:
    return f"\n  {title}: " + ("; ".join(str(step) for step in steps) if steps else "nothing")


def _last(state: RetryCallState) -> Any:
    """The result of the last attempt."""
    assert state.outcome is not None
    return state.outcome.result()
