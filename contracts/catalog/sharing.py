"""Contracts that share a topic or a subject: what they have to agree on.  Pure.

The records of a topic's contracts are told apart by the full names of their types.  The topic's own settings
(`kafka`, `dead_letter`, `key`) stand in one of its contracts, or are the same in several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from avro_data_contracts.contracts.avro.writing import normalised
from avro_data_contracts.contracts.catalog.choices import SubjectStrategy, Tombstones
from avro_data_contracts.contracts.catalog.contract import Contract, Sibling, Subject, types_of
from avro_data_contracts.contracts.catalog.subject_names import said_in
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.spec import SinkSpec

_OF_THE_TOPIC = ("kafka", "dead_letter")


def agreed(contracts: Iterable[Contract]) -> tuple[dict[str, Contract], dict[str, ConfigurationError]]:
    """Return the contracts by name, each with its siblings and with what they say about the topic, and the first
    error of each contract that does not agree with the ones before it.  Names decide the order."""
    by_name = {one.name: one for one in contracts}
    topics: dict[str, list[Contract]] = {}
    for _, one in sorted(by_name.items()):
        topics.setdefault(one.topic, []).append(one)
    errors: dict[str, ConfigurationError] = {}
    for several in topics.values():
        if len(several) > 1:
            _note(errors, _of_topic(several))
            by_name |= {one.name: one for one in _joined(several)}
    by_name = {name: _joining(one, by_name) for name, one in by_name.items()}
    in_order = [by_name[name] for name in sorted(by_name)]
    _note(errors, _of_tables(in_order))
    _note(errors, _of_subjects(in_order))
    return by_name, errors


def _note(errors: dict[str, ConfigurationError], found: Iterator[tuple[str, ConfigurationError]]) -> None:
    for name, error in found:
        errors.setdefault(name, error)


def _of_topic(several: Sequence[Contract]) -> Iterator[tuple[str, ConfigurationError]]:
    before: list[Contract] = []
    for one in several:
        for other in before:
            if error := _clash(one, other):
                yield one.name, error
        if one.spec.tombstones is Tombstones.delete or one.spec.envelope is not None:
            yield (
                one.name,
                _error(
                    one,
                    "tombstones" if one.spec.envelope is None else "envelope",
                    f"the topic {one.topic} has several contracts, and a record without a value has no type: nobody "
                    "can say whose row it deletes",
                    "give the type a topic of its own, or send an event that says that it is deleted",
                ),
            )
        before.append(one)


def _clash(one: Contract, other: Contract) -> ConfigurationError | None:
    if one.value.name == other.value.name:
        named = one.spec.subject is None and one.spec.subject_strategy is SubjectStrategy.TopicName
        told = f"topic {one.topic} already has a contract" if named else "the topic already has a contract"
        return _error(
            one,
            said_in(one.spec, "value"),
            f"{told} with the subject {one.value.name}, {other.file}",
            "change the topic of one of them, merge the two folders, or write `subject_strategy: TopicRecordName` in "
            "both if each has a record of its own",
        )
    for each in (one, other):
        if not each.value.fullname:
            return _error(
                one,
                "topic",
                f"the topic has another contract, {other.file}, and the records of the two are told apart by the "
                f"names of their types, but {each.value.file} has none",
                "make the value of each a record",
            )
    if same := one.value.names & other.value.names:
        return _error(
            one,
            "value",
            f"the topic already has a contract for {min(same)}, {other.file}, and the records of the two are told "
            "apart by the names of their types",
            "rename the record (and its aliases), or merge the two folders",
        )
    for key in _OF_THE_TOPIC:
        if _says(one, key) and _says(other, key) and getattr(one.spec, key) != getattr(other.spec, key):
            return _error(
                one,
                key,
                f"{other.file} has other settings for the topic {one.topic}",
                f"keep `{key}:` in one of the two, or write the same in both",
            )
    if (
        one.key
        and other.key
        and (one.key.name, normalised(one.key.schema))
        != (
            other.key.name,
            normalised(other.key.schema),
        )
    ):
        return _error(
            one,
            "key",
            f"the topic {one.topic} has another key in {other.file}, and a topic has one key",
            "keep `key:` in one of the two, or name the same schema in both",
        )
    return None


def _joined(several: Sequence[Contract]) -> Iterator[Contract]:
    """The contracts of a topic, each with what one of them says about it."""
    said = {key: next((getattr(one.spec, key) for one in several if _says(one, key)), None) for key in _OF_THE_TOPIC}
    update = {key: value for key, value in said.items() if value is not None}
    key = next((one.key for one in several if one.key), None)
    siblings = {one.name: Sibling(one.name, one.value.name, one.value.names, one.said) for one in several}
    for one in several:
        others = tuple(each for name, each in siblings.items() if name != one.name)
        yield replace(one, spec=one.spec.model_copy(update=update), key=one.key or key, siblings=others)


def _joining(one: Contract, by_name: Mapping[str, Contract]) -> Contract:
    """The contract, whose views know the contracts whose tables they join."""
    if not any(reference.spec.contract for view in one.views for reference in view.references):
        return one
    return replace(one, views=tuple(_with_contracts(view, by_name) for view in one.views))


def _with_contracts(view: View, by_name: Mapping[str, Contract]) -> View:
    found = (replace(each, contract=by_name.get(each.spec.contract or "")) for each in view.references)
    return replace(view, references=tuple(found))


def _of_tables(contracts: Iterable[Contract]) -> Iterator[tuple[str, ConfigurationError]]:
    tables: dict[tuple[str, str], str] = {}
    for one in contracts:
        own = ((one.file, sink, _written(one, sink)) for sink in one.sinks)
        of_views = ((view.file, sink, _of_view(view, sink)) for view in one.views for sink in view.sinks)
        for file, sink, names in (*own, *of_views):
            for name in names:
                other = tables.setdefault((sink.kind, name), file)
                if other == file:
                    continue
                what = f"{other} already writes to the {sink.kind} table {name}"
                fix = "a table has one contract or view: name another table in the sinks"
                where = f"sinks.{sink.kind}.table"
                yield one.name, ConfigurationError(what, file=file, path=where, fix=fix)


def _written(contract: Contract, sink: SinkSpec) -> list[str]:
    """The tables that the stream of a contract writes to in a store."""
    return [one.qualified for one in sink.tables(deletes=contract.deletes)]


def _of_view(view: View, sink: SinkSpec) -> list[str]:
    """The tables that a view writes to in a store, perhaps one more than it does: its SQL is not parsed here."""
    deletes = re.search(r"\.\s*`?latest\b", view.sql) is not None
    return [one.qualified for one in sink.tables(deletes=deletes)]


def _of_subjects(contracts: Sequence[Contract]) -> Iterator[tuple[str, ConfigurationError]]:
    """A subject has one schema and one level, whoever names it."""
    owners: dict[str, tuple[Contract, Subject]] = {}
    types = {one.name: one for one in types_of(subject for each in contracts for subject in each.subjects)}
    for contract in contracts:
        for subject in said(contract):
            shared = types.get(subject.name)
            other, known = owners.setdefault(subject.name, (contract, subject))
            for each in (known, shared):
                if each is not None and each is not subject and not _alike(each, subject):
                    yield (
                        contract.name,
                        _error(
                            contract,
                            said_in(contract.spec, subject.role),
                            f"the subject {subject.name} is also that of {each.file}, which has another schema",
                            "let both name one file, or name another subject",
                        ),
                    )
            if other.compatibility is not contract.compatibility:
                yield (
                    contract.name,
                    _error(
                        contract,
                        "compatibility",
                        f"the subject {subject.name} is also that of {other.file}, with level "
                        f"{other.compatibility.value}",
                        "give both the same level, or name another subject"
                        + (" (or keep `key:` in one of the two)" if subject.role == "key" else ""),
                    ),
                )


def said(contract: Contract) -> Iterator[Subject]:
    """The subjects whose level the contract decides: not the key that another contract of its topic names."""
    if contract.key is not None and not contract.inherits_key:
        yield contract.key
    yield contract.value


def owners(contracts: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contract that decides the level of each subject: of several, which agree, one that has approvals."""
    found: dict[str, Contract] = {}
    for one in contracts.values():
        for subject in said(one):
            if subject.name not in found or (one.spec.approvals and not found[subject.name].spec.approvals):
                found[subject.name] = one
    for one in contracts.values():
        for subject in one.subjects:
            found.setdefault(subject.name, one)
    return found


def _alike(one: Subject, other: Subject) -> bool:
    if one.text == other.text and not one.types and not other.types:
        return True
    return {each.name for each in one.types} == {each.name for each in other.types} and normalised(
        one.schema
    ) == normalised(other.schema)


def _says(contract: Contract, key: str) -> bool:
    return key in contract.said


def _error(contract: Contract, key: str, what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(f"{key}: {what}" if key != "topic" else what, file=contract.file, path=key, fix=fix)
