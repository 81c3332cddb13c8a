"""A view as a contract: its value is a record with the columns of the view.

So everything that makes, migrates and writes the tables of contracts does so with those of views.  Pure.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from avro_data_contracts.contracts.avro.jsonpos import Document, Pointer
from avro_data_contracts.contracts.avro.nodes import MISSING, NO_PROPS, AnyType, Field
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.catalog import spec, yaml_text
from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.header import header_of
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks.reading import unfit_keys
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.position import COORDINATES
from avro_data_contracts.contracts.stores.spec import SinkSpec, grouped
from avro_data_contracts.contracts.views import masked, spark_types, stored_fields
from avro_data_contracts.contracts.views.analysis import Analysis, Output, analyse
from avro_data_contracts.contracts.views.grouping import SESSION, WINDOW
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.sources import key_of


@dataclass(frozen=True, eq=False)
class _Places(Document):
    """The text of a view: a column of its result is where its expression begins."""

    places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def position(self, pointer: Pointer) -> tuple[int, int]:
        return self.places.get(pointer[1] if pointer else "", (1, 1))

    def key_position(self, pointer: Pointer) -> tuple[int, int]:
        return self.position(pointer)


@dataclass(frozen=True)
class Derived:
    """A view with what became of it.

    Attributes:
        contract: None if the view has problems.
        problems: those of its analysis, and of its keys.
    """

    analysis: Analysis
    contract: Contract | None
    problems: tuple[Problem, ...]

    @property
    def view(self) -> View:
        return self.analysis.view

    @property
    def sinks(self) -> tuple[SinkSpec, ...]:
        """Its tables; of an aggregation, they have a row for each group."""
        return self.contract.sinks if self.contract is not None else self.view.sinks

    def in_store(self, kind: str) -> Contract:
        """The contract with its table in one kind of store alone.  Raises as `whole`."""
        whole = self.whole()
        sinks = whole.spec.sinks.model_copy(update={one.kind: None for one in whole.sinks if one.kind != kind})
        return replace(whole, spec=whole.spec.model_copy(update={"sinks": sinks}))

    def whole(self) -> Contract:
        """The contract.

        Raises:
            ConfigurationError: the first problem.
        """
        if self.contract is not None:
            return self.contract
        first = self.problems[0]
        more = f" ({len(self.problems)} problems: contracts lint lists them)" if len(self.problems) > 1 else ""
        raise ConfigurationError(
            f"view {self.view.name}: {first.what}{more}",
            file=first.file or self.view.file,
            line=first.line,
            column=first.column,
            path=path_of(self.view, first.column_name),
            fix=first.fix,
        )


def path_of(view: View, column: str = "") -> str:
    """Return the path of a view, or of one of its columns, in findings."""
    return f"views.{view.name}" + (f".{column}" if column else "")


#: The id of a contract that is in use -> what its views were derived to.  To read SQL takes milliseconds, and one run
#: asks for the same view several times.
_KNOWN: dict[int, list[Derived]] = {}
#: Contracts whose views join each other's tables keep each other in use.
_MOST_KNOWN = 1_000


def derive(contract: Contract, view: View) -> Derived:
    """Return the contract that a view of a contract is.  Its SQL is read once while the contract is in use."""
    at = id(contract)
    known = _KNOWN.get(at)
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN.setdefault(at, [])
        weakref.finalize(contract, _KNOWN.pop, at, None).atexit = False
    found = next((one for one in tuple(known) if one.view is view), None)
    if found is None:
        found = _derived(contract, view)
        known.append(found)
    return found


def _derived(contract: Contract, view: View) -> Derived:
    analysis = analyse(contract, view)
    if analysis.problems:
        return Derived(analysis, None, analysis.problems)
    found = _contract(contract, analysis)
    of_masks = (*masked.unknown_releases(analysis), *masked.misfits(found, analysis))
    problems = (
        *_keys(found, analysis),
        *_latest(contract, analysis),
        *_refreshed(contract, analysis),
        *of_masks,
        *(masked.computed(contract, analysis) if analysis.refreshed is None else ()),
        *masked.of_references(analysis),
    )
    return Derived(analysis, None if problems else found, problems)


def _contract(contract: Contract, analysis: Analysis) -> Contract:
    view, value = analysis.view, contract.value
    places = {one.name: (one.line, one.column) for one in analysis.outputs}
    document = _Places(view.text, {}, False, places=places)
    fields = tuple(_field(contract, document, one) for one in analysis.outputs)
    by_name = MappingProxyType({one.name: one for one in fields})
    record = replace(value.record, document=document, pointer=(), props=NO_PROPS, fields=fields, by_name=by_name)
    schema = replace(value.schema, root=record, document=document, where=view.file)
    sinks = view.spec.sinks
    if analysis.groups is not None:
        sinks = sinks.model_copy(update={one.kind: grouped(one) for one in sinks.tables})
    masks = [*masked.inherited(contract, analysis), *view.spec.masks]
    deletes = analysis.is_latest and analysis.refreshed is None
    tombstones = Tombstones.delete if deletes else Tombstones.reject
    said = contract.spec.model_copy(update={"sinks": sinks, "tombstones": tombstones, "masks": masks})
    return replace(
        contract,
        name=f"{contract.name}/views/{view.name}",
        file=view.file,
        spec=said,
        value=replace(value, file=view.file, text=view.text, schema=schema, types=()),
        rules=(),
        siblings=(),
        views=(),
    )


def _field(contract: Contract, document: Document, one: Output) -> Field:
    at = (document, ((), one.name))
    node: AnyType | None = one.node or spark_types.computed(one.spark, *at)
    assert node is not None  # otherwise it is a problem
    if one.nullable and not nullability(contract.value.schema, node)[1]:
        node = spark_types.optional(node)
    return Field(*at, NO_PROPS, one.name, node, MISSING, None, (), "ascending")


def _keys(contract: Contract, analysis: Analysis) -> Iterator[Problem]:
    """Yield what is wrong with the primary keys of a view's tables."""
    outputs, schema = analysis.by_name, contract.value.schema
    for sink in contract.sinks:
        if analysis.groups is not None and sink.appends:
            what = f"{sink.qualified} has a row for each event (`mode: append`), and the view has one for each group"
            fix = "write primary_key, with the columns that the view groups by"
            yield Problem(Rule.key, what, fix, line_of(analysis.view, sink.kind, "mode"), 1)
            continue
        for name in sink.key:
            if name in sink.bookkeeping:
                if not (sink.appends and name in COORDINATES):
                    what = f"the primary key of {sink.qualified} has {name}, which is another one in each event"
                    line = line_of(analysis.view, sink.kind, *sink.path_of(name))
                    yield Problem(Rule.key, what, "name columns of the view", line, 1, name)
                continue
            output = outputs.get(name)
            if output is None:
                what = f"the primary key of {sink.qualified} has {name!r}, which is not a column of the view"
                line = line_of(analysis.view, sink.kind, *sink.path_of(name))
                yield Problem(Rule.key, what, f"columns: {', '.join(outputs)}", line, 1, name)
                continue
            at, node = (output.line, output.column, name), contract.value.record.by_name[name].type
            if output.nullable:
                what = f"{name} is in the primary key of {sink.qualified}, and may be null"
                yield Problem(Rule.key, what, "key on a field that is never null, or write COALESCE", *at)
            elif not types.is_key(schema, node):
                kind = type_name(nullability(schema, node)[0])
                what = f"{name}, {kind}, is in the primary key of {sink.qualified}"
                yield Problem(Rule.key, what, f"use a type of these: {', '.join(sorted(types.KEYS))}", *at)
        for name, what, fix in unfit_keys(contract.spec.masks, schema, sink):
            at = outputs[name].line, outputs[name].column, name
            is_own = any(one.field == name and one.applies_to(sink.kind) for one in analysis.view.spec.masks)
            yield Problem(Rule.mask, what if is_own else f"{what}, and the view inherits the mask", fix, *at)
        if analysis.groups is not None:
            yield from _groups(analysis, analysis.groups, sink)


def _latest(contract: Contract, analysis: Analysis) -> Iterator[Problem]:
    """Yield why a table would not have exactly one row for each key of the contract, which a newer event deletes."""
    if not analysis.is_latest or analysis.refreshed is not None:
        return
    key, view = key_of(contract), analysis.view
    for sink in view.sinks:
        if sink.appends or set(sink.key_fields) != set(key):
            what = f"{sink.qualified} has another primary key than the rows of {contract.name}, ({', '.join(key)})"
            yield Problem(Rule.key, what, f"write primary_key: [{', '.join(key)}]", line_of(view, sink.kind), 1)
    for name in key:
        output = analysis.by_name.get(name)
        if output is not None and (output.node is None or output.paths != (name,) or output.references):
            what = f"{name} is in the key of the rows, and the view computes it: nobody would find the row to delete"
            yield Problem(Rule.key, what, f"select the field {name} itself", output.line, output.column, name)


def _refreshed(contract: Contract, analysis: Analysis) -> Iterator[Problem]:
    """Yield why the tables of an aggregation cannot be computed from those of the contract."""
    if analysis.refreshed is None:
        return
    view, own = analysis.view, {sink.kind: sink for sink in contract.sinks if not sink.appends}
    for sink in view.sinks:
        line = line_of(view, sink.kind)
        if sink.kind not in own:
            what = f"{sink.qualified} is computed from the contract's own table in {sink.kind}, and there is none"
            fix = "name a store in which the contract has a table with a row for each key"
            yield Problem(Rule.kind, f"{what} with a row for each key", fix, line, 1)
            continue
        if sink.stays_s is not None:
            fix = "remove ttl: a row goes when its group goes"
            yield Problem(Rule.kind, f"rows of {sink.qualified} would go by themselves", fix, line, 1)
        if getattr(sink, "partition_by", None) is not None:
            fix = "remove partition_by: the table has a row for each group, all of which may change at once"
            yield Problem(Rule.kind, f"{sink.qualified} is refreshed as a whole", fix, line, 1)
        first = analysis.outputs[0]
        for output in analysis.outputs:
            yield from _unreadable(contract, own[sink.kind], output.paths, output, output.name)
        yield from _unreadable(contract, own[sink.kind], (*analysis.filtered, *analysis.matched), first, "")


def _unreadable(contract: Contract, sink: SinkSpec, paths: Iterable[str], at: Output, name: str) -> Iterator[Problem]:
    for path in paths:
        if (flaw := stored_fields.flaw(contract, sink, path)) is not None:
            fix = "leave it out of the view, or group the events in windows"
            yield Problem(flaw.rule, flaw.what, fix, at.line, at.column, name)


def _groups(analysis: Analysis, groups: Mapping[str, int | None], sink: SinkSpec) -> Iterator[Problem]:
    """Yield why a table does not have exactly one row for each group."""
    view, grouping = analysis.view, analysis.grouping
    missing: dict[int | None, str] = {None: "the window"} if grouping is not None else {}
    missing |= {number: key.sql for number, key in enumerate(analysis.keys)}
    for name in sink.key_fields:
        if name in analysis.by_name and name not in groups:
            what = f"{name} is in the primary key of {sink.qualified}, and the view does not group by it"
            fix = "remove it: a group has one row, which changes with its events"
            yield Problem(Rule.key, what, fix, line_of(view, sink.kind, *sink.path_of(name)), 1, name)
        missing.pop(groups.get(name, -1), None)
    for number, sql in missing.items():
        what = f"the view groups by {sql}, which is not in the primary key of {sink.qualified}"
        named = next((name for name, of in groups.items() if of == number), None)
        window = SESSION if grouping is not None and grouping.window.is_session else WINDOW
        wanted = named or (sql if number is not None else f"{window}.start")
        fix = f"add {wanted} to primary_key" if named else f"select {wanted}, and add it to primary_key"
        yield Problem(Rule.key, f"{what}: two groups would share a row", fix, line_of(view, sink.kind), 1)


def line_of(view: View, kind: str, *keys: str | int) -> int:
    """Return the 1-based line of a key of a view's sink."""
    node = yaml_text.compose(header_of(view.text))
    assert node is not None  # it has been parsed
    return spec.line_of(node, ["sinks", kind, *keys])
