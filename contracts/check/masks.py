"""What a change of masks, tags or fields takes away from the masks of a store.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.masks import plan


@dataclass(frozen=True)
class Removed:
    """A field that was masked in a store, and is not any longer.  `how`: its mask, in words."""

    path: str
    store: str
    how: str


def removed(old: Contract, new: Contract) -> Iterator[Removed]:
    """Yield the fields that both have, and that only the old contract masks in a store that both have."""
    stores = {sink.kind for sink in old.sinks}
    for sink in new.sinks:
        if sink.kind not in stores or not old.spec.masks:
            continue
        now = _masked(new, sink.kind)
        for path, how in _masked(old, sink.kind).items():
            still = any(paths.is_within(path, one) for one in now)
            if not still and paths.field_at(new.value.schema, path) is not None:
                yield Removed(path, sink.kind, how)


def _masked(contract: Contract, store: str) -> dict[str, str]:
    found = plan.masked_fields(contract.spec.masks, contract.value.schema, store)
    return {path: str(contract.spec.masks[number].mask) for path, _, number in found}
