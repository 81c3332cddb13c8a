"""The masks of a view: those of fields that it takes as they are, and its own; and what it may not compute.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks import plan, reading
from avro_data_contracts.contracts.masks.spec import How, MaskSpec
from avro_data_contracts.contracts.views.analysis import Analysis, Output
from avro_data_contracts.contracts.views.problem import Problem, Rule

_PATH = re.compile(r"[\w.]+")
_COLUMN = re.compile(r"\w+")


def inherited(contract: Contract, analysis: Analysis) -> list[MaskSpec]:
    """Return the masks of a view's columns, each for one store."""
    found: list[MaskSpec] = []
    for store in _stores(analysis):
        masks = _masks(contract, store)
        for one in analysis.outputs:
            if not as_it_is(one) or one.name in analysis.view.spec.releases:
                continue
            (own,) = one.paths
            for path, how in masks.items():
                if paths.is_within(own, path):
                    found.append(MaskSpec(field=one.name, stores=[store], mask=how))
                elif paths.is_within(path, own):
                    found.append(MaskSpec(field=f"{one.name}{path[len(own) :]}", stores=[store], mask=how))
    return found


def misfits(found: Contract, analysis: Analysis) -> Iterator[Problem]:
    """Yield why the header's masks do not fit the columns of the view, or the masks that they have already.

    Args:
        found: the view as a contract.
    """
    view = analysis.view
    stores = _stores(analysis)
    for one in view.spec.masks:
        if not any(one.applies_to(store) for store in stores):
            what = f"masks: {one}: the view has no table in {' or '.join(one.stores)}"
            yield Problem(Rule.mask, what, f"stores of the view: {', '.join(stores)}", 1, 1)
    if view.spec.masks:
        try:
            reading.check(found.spec.masks, found.value.schema, found.sinks, view.file, lambda *_: 1)
        except ConfigurationError as error:
            yield Problem(Rule.mask, error.what, error.fix, 1, 1)


def column_of(path: str) -> str:
    """Return the column of a view that a path leads to, or into."""
    found = _COLUMN.match(path)
    return found[0] if found else ""


def unknown_releases(analysis: Analysis) -> Iterator[Problem]:
    """Yield what the header releases, and is no column of the view."""
    for name in analysis.view.spec.releases:
        if name not in analysis.by_name:
            what = f"releases names {name!r}, which is not a column of the view"
            yield Problem(Rule.mask, what, f"columns: {', '.join(analysis.by_name)}", 1, 1)


def computed(contract: Contract, analysis: Analysis) -> Iterator[Problem]:
    """Yield the columns that are computed from what is masked in a store of the view, and not released."""
    released = analysis.view.spec.releases
    masked = {path: (store, how) for store in _stores(analysis) for path, how in _masks(contract, store).items()}
    for one in analysis.outputs:
        if as_it_is(one) or one.name in released:
            continue
        touched = next((path for path in masked if any(paths.overlap(path, own) for own in one.paths)), None)
        if touched is not None:
            store, how = masked[touched]
            what = f"{one.name} is computed from {touched}, which is masked in {store} ({how})"
            fix = f"leave it out; or, if it tells nobody's data, add `releases: [{one.name}]` to the header"
            yield Problem(Rule.mask, what, fix, one.line, one.column, one.name)


def released(contract: Contract, analysis: Analysis) -> list[str]:
    """Return the columns that would be masked, or refused, if the header did not release them."""
    masks = {path for store in _stores(analysis) for path in _masks(contract, store)}
    return [
        one.name
        for one in analysis.outputs
        if one.name in analysis.view.spec.releases
        and any(paths.overlap(path, own) for path in masks for own in one.paths)
    ]


def as_it_is(one: Output) -> bool:
    """Whether a column is part of an event, and nothing is computed."""
    if one.node is None or len(one.paths) != 1:
        return False
    sql, path = one.sql.replace("`", "").lower(), one.paths[0].lower()
    return bool(_PATH.fullmatch(sql)) and (sql == path or sql.endswith(f".{path}"))


def _stores(analysis: Analysis) -> list[str]:
    return [sink.kind for sink in analysis.view.sinks]


def _masks(contract: Contract, store: str) -> dict[str, How]:
    said = contract.spec.masks
    found = plan.masked_fields(said, contract.rows.value.schema, store)
    return {path: said[number].mask for path, _, number in found}
