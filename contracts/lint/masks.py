"""The functions of the lint rules about masks.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit
from avro_data_contracts.contracts.masks import plan
from avro_data_contracts.contracts.masks.spec import How, Kind, MaskSpec

if TYPE_CHECKING:
    from avro_data_contracts.contracts.views.analysis import Output
    from avro_data_contracts.contracts.views.derived import Derived

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
        open_in += _views(scope, path)
        if open_in:
            what = f"{path} is personal data, and reaches {', '.join(open_in)} as it is"
            yield scope.at(scope.contract.value, field, "name", what)


def _paths(scope: ContractScope, said: list[MaskSpec], store: str) -> set[str]:
    return {path for path, _, _ in plan.masked_fields(said, scope.value, store)}


def _views(scope: ContractScope, path: str) -> Iterator[str]:
    """Yield the tables of views that have a field as it is, or have what is computed from it."""
    for derived in scope.derived:
        said, value = scope.contract.spec.masks, scope.value
        if derived.contract is not None:
            said, value = derived.contract.spec.masks, derived.contract.value.schema
        for sink in derived.view.sinks:
            masks = {one for one, _, _ in plan.masked_fields(said, value, sink.kind)}
            columns = (name for output in derived.analysis.outputs for name in _columns(derived, output, path))
            if any(not any(paths.is_within(name, one) for one in masks) for name in columns):
                yield f"{sink.kind} {sink.qualified}"


def _columns(derived: Derived, output: Output, path: str) -> Iterator[str]:
    """Yield the part of a column that a field is; the column if it is computed, and not released."""
    from avro_data_contracts.contracts.views import masked

    for own in output.paths:
        if not paths.overlap(path, own):
            continue
        if derived.contract is None:
            yield path
        elif masked.as_it_is(output):
            yield f"{output.name}{path[len(own) :]}" if paths.is_within(path, own) else output.name
        elif output.name not in derived.view.spec.releases:
            yield output.name
