"""The functions of the lint rules about masks.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.spec import How, Kind, MaskSpec

_PERSONAL: Final = MaskSpec(tag="PII", mask=How(kind=Kind.redact))


def unmasked(scope: ContractScope) -> Iterator[Hit]:
    """Hits for fields with the tag PII that a table of the contract, or of one of its views, has as they are."""
    said = scope.contract.spec.masks
    masked = {store: _paths(scope, said, store) for store in {one.kind for one in scope.contract.sinks}}
    for path, field, _ in plan.masked_fields([_PERSONAL], scope.value):
        open_in = [
            f"{sink.kind} {sink.qualified}"
            for sink in scope.contract.sinks
            if not any(paths.is_within(path, one) for one in masked[sink.kind])
        ]
        open_in += _views(scope, said, path)
        if open_in:
            what = f"{path} is personal data, and reaches {', '.join(open_in)} as it is"
            yield scope.at(scope.contract.value, field, "name", what)


def _paths(scope: ContractScope, said: list[MaskSpec], store: str) -> set[str]:
    return {path for path, _, _ in plan.masked_fields(said, scope.value, store)}


def _views(scope: ContractScope, said: list[MaskSpec], path: str) -> Iterator[str]:
    """Yield the tables of views that have a field as it is."""
    for derived in scope.derived:
        if any(paths.overlap(path, one) for output in derived.analysis.outputs for one in output.paths):
            for sink in derived.view.sinks:
                if not any(paths.is_within(path, one) for one in _paths(scope, said, sink.kind)):
                    yield f"{sink.kind} {sink.qualified}"
