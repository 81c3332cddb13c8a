"""The functions of the lint rules about consumers.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.paths import follow, without_labels
from avro_data_contracts.contracts.catalog.findings import Severity
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit
from avro_data_contracts.contracts.listing import few


def consumer_fields(scope: ContractScope) -> Iterator[Hit]:
    for number, consumer in enumerate(scope.contract.spec.consumers):
        for index, path in enumerate(consumer.fields):
            found = follow(scope.value, path)
            if found.places:
                continue
            keys: list[str | int] = ["consumers", number, "fields", index]
            if others := _in_other_types(scope.value, path):
                what = f"{consumer.name} reads {path!r}, but only {few(others)} is in the value"
                fix = "remove it when the consumer no longer reads it"
                yield scope.in_contract(keys, what, fix, Severity.warning)
                continue
            near = get_close_matches(path, found.choices, 1)
            fix = f"write {near[0]}" if near else f"name a field of the value, or remove it{_choices(found.choices)}"
            what = f"{consumer.name} reads {path!r}, which is not in the value"
            yield scope.in_contract(keys, what, fix)


def _in_other_types(schema: Schema, path: str) -> tuple[str, ...]:
    """Where a path leads through other types of the unions on it, if these have the types that it names."""
    plain = without_labels(path)
    if plain == path or not all(follow(schema, path[: mark.end()]).places for mark in re.finditer(r"\)", path)):
        return ()
    return tuple(follow(schema, plain).places)


def _choices(paths: tuple[str, ...]) -> str:
    return f" (there are {few(paths, 5)})" if paths else ""
