"""Compare a contract with its predecessor: findings of its level, what no level sees, and the impact.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from avro_data_contracts.contracts.avro import connect
from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.avro.paths import field_at
from avro_data_contracts.contracts.avro.writing import described_alike, first_difference, normalised
from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.earlier import Earlier
from avro_data_contracts.contracts.catalog.findings import Finding, role
from avro_data_contracts.contracts.catalog.places import Texts, position_of
from avro_data_contracts.contracts.check import impact, masks, topic_wording
from avro_data_contracts.contracts.check.effects import ConsumerEffect, Impact
from avro_data_contracts.contracts.check.rules import CHECK_RULES
from avro_data_contracts.contracts.check.topic_wording import MOVES
from avro_data_contracts.contracts.compat import blind_spots, changes, meanings
from avro_data_contracts.contracts.compat.cache import Compared
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.compat.levels import FORWARD, LEVELS, Violation, check_schemas
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.quality import tightened

#: Earlier versions by subject, oldest first; the last one is the version in the baseline.
Histories = Mapping[str, tuple[Earlier, ...]]


def _same(old: Subject, new: Subject) -> bool:
    """True if the registry would treat the two as one version."""
    if old.text == new.text and not old.types and not new.types:
        return True
    if _fields(old) != _fields(new):  # most changes are of this kind, and need not be written out
        return False
    return normalised(old.schema) == normalised(new.schema)


def _fields(subject: Subject) -> tuple[str, ...]:
    root = subject.schema.resolve(subject.schema.root)
    return tuple(root.by_name) if isinstance(root, Record) else ()


def _typed(subject: Subject | None) -> Subject | None:
    return None if subject is None else replace(subject, schema=connect.typed(subject.schema))


def pairs(old: Contract, new: Contract) -> list[tuple[Subject | None, Subject | None]]:
    """The keys of both contracts, if the new one names its key itself, and their values."""
    return [(old.value, new.value)] if new.inherits_key else [(old.key, new.key), (old.value, new.value)]


@dataclass
class ContractComparison:
    """One contract and its predecessor.

    Args:
        histories: earlier versions of its subjects; a subject without a history has only the version in `old`.
        texts: of the contract files, for line numbers.
        is_back: the contract was removed and is there again; `old` is its last version before that.
    """

    old: Contract
    new: Contract
    histories: Histories
    texts: Texts
    is_back: bool = False
    _changes: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    _known: dict[str, bool] = field(default_factory=dict)
    _histories: dict[str, tuple[Earlier, ...]] = field(default_factory=dict)
    _compared: Compared = field(default_factory=Compared)

    @cached_property
    def is_same(self) -> bool:
        before, after = (
            contract.spec.model_dump(exclude={"lint", "approvals", "consumers", "owner", "description"})
            for contract in (self.old, self.new)
        )
        if self.old.spec is not self.new.spec and before != after:
            return False
        if [(one.name, one.text) for one in self.old.views] != [(one.name, one.text) for one in self.new.views]:
            return False
        if any(one.references for one in self.new.views):
            from avro_data_contracts.contracts.views import references  # of few contracts

            if [references.said(one) for one in self.old.views] != [references.said(one) for one in self.new.views]:
                return False
        return all(one is other is None or (one and other and self._same(one, other)) for one, other in self._pairs)

    def _same(self, one: Subject, other: Subject) -> bool:
        if other.name not in self._known:
            self._known[other.name] = _same(one, other)
        return self._known[other.name]

    @cached_property
    def _pairs(self) -> list[tuple[Subject | None, Subject | None]]:
        found = pairs(self.old, self.new)
        if self.new.spec.envelope is None:
            return found
        # So that a change of Debezium's types counts as the change of a logical type.
        return [(_typed(before), _typed(after)) for before, after in found]

    @cached_property
    def impact(self) -> Impact:
        old, new = self.old.rows, self.new.rows
        history = self._history(self.old.value)
        if old.unwrapped:  # what reads the topic reads the rows
            history = tuple(replace(one, schema=self.old.rows_of(one.schema)) for one in history)
        found = changes.between(old.value.schema, new.value.schema) if old.unwrapped or new.unwrapped else None
        between = self._between(self.old.value, self.new.value) if found is None else found
        return impact.of(old, new, history, between, self._compared)

    def findings(self) -> Iterator[Finding]:
        """All findings, whether approved or not."""
        yield from self._level_lowered()
        yield from self._key()
        for change in self.impact.topic:
            yield self._in_contract(change.rule, [*change.keys], *topic_wording.told(change))
        yield from self._rules()
        yield from self._masks()
        for before, after in self._pairs:
            if before and after and not self._same(before, after):
                yield from self._by_level(before, after)
                yield from self._blind(before, after)
        yield from self._effects()
        yield from self._views()

    def needed_next_time(self) -> set[tuple[str, str, str]]:
        """What `check` will find in every next version, because of an earlier version in the history."""
        if not self.new.spec.approvals or not self.is_same:
            return set()
        pairs = [(before, after) for before, after in self._pairs if before and after]
        found = (one for pair in pairs for one in (*self._by_level(*pair), *self._meanings(*pair)))
        return {(one.rule, one.path, role(self.new, one)) for one in found}

    # -- the levels ------------------------------------------------------------------------------------------------

    def _levels(self) -> list[str]:
        """The contract's level; also the old one if the new one promises less."""
        old, new = self.old.compatibility.value, self.new.compatibility.value
        return [new] if _covers(new, old) else [old, new]

    def _level_lowered(self) -> Iterator[Finding]:
        old, new = self.old.compatibility.value, self.new.compatibility.value
        if not _covers(new, old):
            yield self._in_contract(
                "LEVEL_LOWERED",
                ["compatibility"],
                f"the level was {old}, and {new} promises less; this change is checked at both levels",
                f"keep {old}, or approve LEVEL_LOWERED",
            )

    def _by_level(self, before: Subject, after: Subject) -> Iterator[Finding]:
        history = [earlier for earlier in self._history(before) if earlier.compared]
        schemas = [earlier.schema for earlier in history]
        merged: dict[Violation, list[Violation]] = {}
        for level in self._levels():
            for one in check_schemas(after.schema, schemas, level, self._compared.differences):
                # What is wrong in several versions, or in both directions, is one finding.
                merged.setdefault(replace(one, version=0, direction=""), []).append(one)
        for violation, alike in merged.items():
            message = violation.message + self._compared_with(history, [one.version for one in alike])
            found = self._of_violation(after, replace(violation, message=message))
            yield replace(found, directions=tuple(dict.fromkeys(one.direction for one in alike)))

    def _compared_with(self, history: Sequence[Earlier], versions: Sequence[int]) -> str:
        """The versions that a finding is about; empty if that is only the newest, as one expects."""
        if set(versions) == {len(history) - 1} and not self.is_back:
            return ""
        return f" (compared with {', '.join(history[one].label for one in sorted(set(versions)))})"

    def _of_violation(self, subject: Subject, one: Violation) -> Finding:
        assert one.node is not None
        file, line, column = position_of(subject, one.node, one.attribute)
        return self._finding(one.rule, one.message, one.fix, file, line, column, one.path, subject.name)

    def _history(self, subject: Subject) -> tuple[Earlier, ...]:
        # Kept only for this comparison: `histories` may parse each time, so as not to hold all of them in memory.
        if subject.name not in self._histories:
            found = self.histories.get(subject.name) or (Earlier("the version before", subject.schema),)
            if self.new.spec.envelope is not None:
                found = tuple(replace(one, schema=connect.typed(one.schema)) for one in found)
            self._histories[subject.name] = found
        return self._histories[subject.name]

    # -- what no level sees --------------------------------------------------------------------------------------

    def _between(self, before: Subject, after: Subject) -> tuple[Change, ...]:
        if after.name not in self._changes:
            self._changes[after.name] = changes.between(before.schema, after.schema)
        return self._changes[after.name]

    def _blind(self, before: Subject, after: Subject) -> Iterator[Finding]:
        forward = any(FORWARD in LEVELS[level].directions for level in self._levels())
        moved: set[str] = set()
        for change in self._between(before, after):
            if change.kind is Kind.namespace:
                # The types inside move with it: one finding is enough.
                if change.old in moved:
                    continue
                moved.add(change.old)
            if change.kind not in meanings.KINDS:
                for told in blind_spots.of(change, forward=forward):
                    yield self._of_change(after, change, *told)
        yield from self._meanings(before, after)

    def _meanings(self, before: Subject, after: Subject) -> Iterator[Finding]:
        """Where the bytes of a version that the level covers mean something else."""
        history = self._history(before)
        transitive = any(LEVELS[level].transitive for level in self._levels())
        merged: dict[tuple[str, str, str, str], tuple[Change, list[int]]] = {}
        for number in range(len(history)) if transitive else range(len(history))[-1:]:
            for change in self._compared.meanings(history[number].schema, after.schema):
                if blind_spots.widened(change) and number < len(history) - 1:
                    continue  # what holds the digits of the last version holds those of every earlier one
                for told in blind_spots.of(change, forward=False):
                    merged.setdefault((change.path, *told), (change, []))[1].append(number)
        for (_, rule, message, fix), (change, versions) in merged.items():
            yield self._of_change(after, change, rule, message + self._compared_with(history, versions), fix)

    def _of_change(self, subject: Subject, change: Change, rule: str, message: str, fix: str) -> Finding:
        assert change.node is not None  # the change is in a schema
        file, line, column = position_of(subject, change.node, change.attribute)
        return self._finding(rule, message, fix, file, line, column, change.path, subject.name)

    def _key(self) -> Iterator[Finding]:
        old, new = self.old.key, self.new.key
        keep = "keep the key as it is; for another key, use a new topic"
        if (old is None and new is None) or self.new.inherits_key:
            return
        if old is None or new is None:
            word = "now has a key schema, and had none before" if old is None else "no longer has a key schema"
            yield self._in_contract("KEY_CHANGED", ["key"], f"the topic {word}: {MOVES}", keep)
        elif not self._same(old, new):
            file, line, column = position_of(new, new.schema.root, "")
            yield self._finding(
                "KEY_CHANGED", _key_words(old, new, self._between(old, new)), keep, file, line, column
            )

    def _rules(self) -> Iterator[Finding]:
        for number, words in tightened.tightened(self.old.spec.rules, self.new.spec.rules):
            yield self._in_contract(
                "RULE_TIGHTENED",
                ["rules", number],
                f"{words}: records that passed before may now go to {self.new.dead_letter_topic}",
                "ask the producers, and approve it when their records pass",
            )

    def _masks(self) -> Iterator[Finding]:
        for one in masks.removed(self.old.rows, self.new.rows):
            yield self._in_contract(
                "MASK_REMOVED",
                ["masks"],
                f"{one.path} was masked in {one.store} ({one.how}), and is not any longer: its true values are "
                "stored from now on",
                "keep the mask, or approve it when everybody who reads the table may see them",
            )

    def _effects(self) -> Iterator[Finding]:
        """Tables that cannot change as asked, tables that nothing writes to, and consumers that lose fields."""
        effect = self.impact
        for table in effect.tables:
            for refusal in table.migration.refusals if not table.view else ():
                message = f"{table.kind} {table.table}: {refusal.why}"
                in_schema = refusal.column and not refusal.at
                rows = self.new.rows.value
                node = field_at(rows.schema, refusal.column) if in_schema else None
                if node is not None:
                    file, line, column = position_of(rows, node, "type")
                    yield self._finding(
                        "COLUMN_CANNOT_CHANGE", message, refusal.fix, file, line, column,
                        refusal.column, self.new.value.name,
                    )  # fmt: skip
                else:
                    at: list[str | int] = ["sinks", table.kind, *refusal.at]
                    yield self._in_contract("TABLE_CANNOT_CHANGE", at, message, refusal.fix)
        now = {sink.kind: sink.qualified for sink in self.new.sinks}
        for sink in self.old.sinks:
            if now.get(sink.kind) != sink.qualified:
                yield self._in_contract(
                    "TABLE_ABANDONED",
                    ["sinks", sink.kind],
                    f"{sink.kind} {sink.qualified} stays, but nothing writes to it",
                    "move its readers, then drop it",
                )
        for consumer in effect.former:
            paths = filter(None, dict.fromkeys((*consumer.touched, *consumer.lost)))
            read = ", ".join(paths) or (consumer.obstacle.path if consumer.obstacle else "")
            yield self._in_contract(
                "CONSUMER_REMOVED",
                ["consumers"],
                f"this change takes the consumer {consumer.name}, or what it reads, out of the contract, and also "
                f"changes what it reads ({read or 'the value'}): the consumer {consumer.reads}",
                f"make sure that its owner{_of(consumer)} has moved on; better remove it in an earlier change",
            )
        for number, consumer in enumerate(effect.consumers):
            if consumer.lost:
                yield self._in_contract(
                    "CONSUMER_LOSES_FIELD",
                    ["consumers", number],
                    f"the consumer {consumer.name} {consumer.reads}: it reads {', '.join(consumer.lost)}, which this "
                    "change removes or renames",
                    f"keep the field until its owner{_of(consumer)} no longer needs it, then remove it from the "
                    "consumer's fields",
                )

    def _views(self) -> Iterator[Finding]:
        """Views that no longer fit, whose tables cannot change, or that compute something else."""
        if self.old.views or self.new.views:
            from avro_data_contracts.contracts.check import views  # loads sqlglot

            for one in views.facts(self.old, self.new):
                yield self._finding(one.rule, one.message, one.fix, one.file, one.line, one.column, one.path)

    # -- findings ---------------------------------------------------------------------------------------------------

    def _in_contract(self, rule: str, keys: list[str | int], message: str, fix: str) -> Finding:
        line, column = self.texts.position(self.new.file, *keys)
        return self._finding(rule, message, fix, self.new.file, line, column, ".".join(map(str, keys)), "")

    def _finding(
        self, rule: str, message: str, fix: str, file: str, line: int, column: int, path: str = "", subject: str = ""
    ) -> Finding:
        severity = CHECK_RULES[rule].severity
        return Finding(rule, severity, message, fix, file, line, column, path, self.new.name, subject)


def _key_words(old: Subject, new: Subject, told: Sequence[Change]) -> str:
    """What changed in the key's schema, and what that does to its bytes."""
    words = [f"{change.path or 'key'}: {change}" for change in told] or [first_difference(old.schema, new.schema)]
    what = f"the key's schema changed ({few(words, between='; ')})"
    if described_alike(old.schema) == described_alike(new.schema):
        what += (
            ", and its values are still written the same way. But a registry that compares docs and aliases gives "
        )
        what += "it a new id"
    else:
        what += ". It gets a new id in the registry"
    return f"{what}, and the bytes of a key begin with its schema's id: {MOVES}"


def _of(consumer: ConsumerEffect) -> str:
    return f" ({consumer.owner})" if consumer.owner else ""


def _covers(new: str, old: str) -> bool:
    """True if `new` promises everything that `old` does."""
    one, other = LEVELS[old], LEVELS[new]
    return set(one.directions) <= set(other.directions) and (
        other.transitive or not one.transitive or not one.directions
    )
