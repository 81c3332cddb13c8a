"""The masks of a view: those of fields that it takes as they are, and its own; and what it may not have.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from avro_data_contracts.contracts.avro import paths
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks import plan, reading
from avro_data_contracts.contracts.masks.spec import ANY_TYPE, How, MaskSpec
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


def of_references(analysis: Analysis) -> Iterator[Problem]:
    """Yield the columns with values of another contract that are masked, and not released.

    The view reads them as its store has them: perhaps true values, which its own store must not have.
    """
    for one in analysis.outputs:
        if one.name not in analysis.view.spec.releases:
            for what, fix in _joined(analysis, one):
                yield Problem(Rule.mask, what, fix, one.line, one.column, one.name)
                break


def _joined(analysis: Analysis, one: Output) -> Iterator[tuple[str, str]]:
    """Yield why a column may not have the masked values of another contract, and what to do."""
    release = f"or, if it tells nobody's data, add `releases: [{one.name}]` to the header"
    for name, path in one.references:
        data, is_same = analysis.data[name], not one.paths and _is_named(one, path)
        stored = data.stored.get(path)
        if stored is not None and not is_same:
            what = f"{one.name} is computed from {name}.{path}, which is masked where it is read ({stored})"
            yield what, f"leave it out; {release}"
        verb = "is" if is_same else "is computed from"
        for store in _stores(analysis):
            how = data.masks.get(store, {}).get(path)
            if how in (None, stored) or (is_same and _masks_alike(analysis, one.name, store, how)):
                continue
            what = f"{one.name} {verb} {name}.{path}, which its contract masks in {store} ({how})"
            as_yaml = f"{{truncate: {how.length}}}" if how is not None and how.length else how
            mask = f"mask it in the header, `masks: [{{field: {one.name}, mask: {as_yaml}}}]`; " if is_same else ""
            yield what, f"{mask}leave it out; {release}"


def _masks_alike(analysis: Analysis, column: str, store: str, how: How | None) -> bool:
    """Whether the header masks a column in a store so, or tells nothing of it."""
    own = (rule for rule in analysis.view.spec.masks if rule.field == column and rule.applies_to(store))
    return any(rule.mask == how or rule.mask.kind in ANY_TYPE for rule in own)


def released(contract: Contract, analysis: Analysis) -> list[str]:
    """Return the columns that would be masked, or refused, if the header did not release them."""
    masks = {path for store in _stores(analysis) for path in _masks(contract, store)}
    return [
        one.name
        for one in analysis.outputs
        if one.name in analysis.view.spec.releases
        and (any(paths.overlap(path, own) for path in masks for own in one.paths) or any(_joined(analysis, one)))
    ]


def as_it_is(one: Output) -> bool:
    """Whether a column is part of an event, and nothing is computed."""
    return len(one.paths) == 1 and _is_named(one, one.paths[0])


def _is_named(one: Output, path: str) -> bool:
    """Whether the expression of a column is the name of a part."""
    sql, path = one.sql.replace("`", "").lower(), path.lower()
    return one.node is not None and bool(_PATH.fullmatch(sql)) and (sql == path or sql.endswith(f".{path}"))


def _stores(analysis: Analysis) -> list[str]:
    return [sink.kind for sink in analysis.view.sinks]


def _masks(contract: Contract, store: str) -> dict[str, How]:
    said = contract.spec.masks
    found = plan.masked_fields(said, contract.rows.value.schema, store)
    return {path: said[number].mask for path, _, number in found}
