"""A lint rule, what it examines, and the hits that it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from avro_data_contracts.contracts.avro.nodes import AnyType, Field, Named, Node, Schema
from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.findings import Severity
from avro_data_contracts.contracts.catalog.places import Texts, owner_of, position_of

if TYPE_CHECKING:
    from avro_data_contracts.contracts.views.derived import Derived


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a rule is broken.

    Args:
        fix: empty if the fix of the rule says enough.
        severity: None if it is that of the rule.
    """

    message: str
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    subject: str = ""
    severity: Severity | None = None


@dataclass(frozen=True)
class Example:
    """A text that breaks a rule, or keeps it, inside a contract that is otherwise valid.

    Args:
        kind: `field` (a field of the value), `row` (a field of the rows in a Debezium envelope), `schema`
            (value.avsc), `contract` (keys of contract.yaml) or `view` (a file of `views/`).  `masked` is a field,
            and `masked view` a view, of a contract that hashes what has the tag PII.
        text: JSON, or YAML for a contract, or SQL for a view.
        times: the number of such fields, each with its number in place of `%d`.
    """

    kind: str
    text: str
    times: int = 1

    @property
    def full(self) -> str:
        """The complete text."""
        return ",\n".join(self.text % number for number in range(self.times)) if self.times > 1 else self.text


@dataclass(frozen=True)
class Rule:
    """A lint rule.

    Args:
        purpose: what the rule requires and why, in a sentence.
        fix: what to do, unless a hit says it better.
        bad, good: an example that breaks the rule, and one that keeps it.
        function: takes a `Scope`; of a rule `of_contract`, a `ContractScope`.
        style: no more than a warning where no store holds the records.
        of_contract: about a contract as a whole, not about each text of a schema.
        in_use: what to do instead in a topic with records and readers, where `check` would refuse the fix.
        asked: finds something only where contracts.toml or a contract sets its severity.
    """

    id: str
    severity: Severity
    purpose: str
    fix: str
    bad: Example
    good: Example
    function: Callable[[Any], Iterable[Hit]]
    style: bool = False
    of_contract: bool = False
    in_use: str = ""
    asked: bool = False

    def fix_of(self, hit: Hit) -> str:
        """What to do about a hit, also where records exist."""
        fix = hit.fix or self.fix
        return f"{fix}; if the topic is in use, {self.in_use}" if self.in_use else fix


@dataclass(frozen=True)
class Scope:
    """Texts of schemas, as the rules see them: those of a contract, or of one shared type.

    Args:
        nodes: everything in the texts of these subjects.
    """

    subjects: tuple[Subject, ...]
    nodes: tuple[tuple[Subject, Field | AnyType], ...]

    @classmethod
    def of(cls, *subjects: Subject) -> Scope:
        return cls(subjects, tuple((subject, node) for subject in subjects for node in subject.schema.walk()))

    @property
    def fields(self) -> Iterator[tuple[Subject, Field]]:
        """Every field of every record."""
        return ((subject, node) for subject, node in self.nodes if isinstance(node, Field))

    @property
    def named(self) -> Iterator[tuple[Subject, Named]]:
        """Every definition of a record, enum or fixed."""
        return ((subject, node) for subject, node in self.nodes if isinstance(node, Named))

    def at(self, subject: Subject, node: Node, attribute: str, message: str, fix: str = "") -> Hit:
        """A hit at an attribute of a node, or at the node if it lacks that attribute."""
        file, line, column = position_of(subject, node, attribute)
        owner = owner_of(subject, node) or subject
        return Hit(message, fix, file, line, column, node.path, owner.name)


@dataclass(frozen=True)
class ContractScope(Scope):
    """A contract with its own schemas, as its tables see it (`Contract.rows`)."""

    contract: Contract
    texts: Texts

    @classmethod
    def of_contract(cls, contract: Contract, texts: Texts) -> ContractScope:
        rows = contract.rows  # of an envelope, nobody here decides more than the rows
        own = Scope.of(*rows.subjects)
        return cls(own.subjects, own.nodes, rows, texts)

    @property
    def value(self) -> Schema:
        return self.contract.value.schema

    @cached_property
    def derived(self) -> tuple[Derived, ...]:
        """Every view, with what became of it."""
        if not self.contract.views:
            return ()
        # It loads sqlglot.
        from avro_data_contracts.contracts.views.derived import derive

        return tuple(derive(self.contract, view) for view in self.contract.views)

    def in_contract(
        self, keys: Sequence[str | int], message: str, fix: str = "", severity: Severity | None = None
    ) -> Hit:
        """A hit at a key of contract.yaml."""
        line, column = self.texts.position(self.contract.file, *keys)
        return Hit(message, fix, self.contract.file, line, column, ".".join(map(str, keys)), severity=severity)
