"""Turns the cells of a CSV row into a record of a contract, exactly; refuses what the contract's types cannot hold.

CSV has only texts, so the field's type says what a text is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro.names import stands_for
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Fixed, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.values.scalars import Check, Misfit
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.plain import json_text, records
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.plain.conversion import PlainCompiler, Unfit
from avro_data_contracts.producers.rejection import Rejection

Cells = Callable[[Sequence[str]], dict[str, Any] | Checked]

_EMPTY_TEXTS: Final = ("string", "bytes")


class UnfitHeader(ValueError):
    """The columns are not those of the contract, so no row fits.  The text says which, and what to do."""


@dataclass(frozen=True)
class _Column:
    """A column of the contract.

    Attributes:
        convert: what makes the value, from JSON or from the cell's text.
        is_json: the cell is JSON text, because its type is made of others.
        empty_is: what an empty cell is; None for null, a Misfit if it is nothing.
    """

    name: str
    convert: Check
    is_json: bool
    empty_is: Any


def cells(schema: Schema, header: Sequence[str], asked: Asked, *, final: bool = False) -> Cells:
    """Compile the conversion of rows with this header.

    Args:
        final: give a `Checked` record, for `Publisher.send_checked`.

    Returns:
        A function that takes as many cells as the header has, and returns what `Publisher.send` takes.  It raises
        Rejection.

    Raises:
        UnfitHeader: the contract lacks a column, or needs another.
    """
    root = schema.resolve(schema.root)
    assert isinstance(root, Record)
    compiler = PlainCompiler(schema, asked, lenient=True, final=final)
    header = _named(header, root)
    unknown = [name for name in header if name not in root.by_name]
    if unknown and not asked.extra_fields:
        raise UnfitHeader(
            f"the contract has no field {', '.join(map(_shown, unknown[:5]))}; the header must have the names of its "
            f"fields ({', '.join(root.by_name)}), or --coerce extra-fields leaves columns out"
        )
    needed = [
        field.name
        for field in root.fields
        if field.name not in header and not field.has_default and not compiler.may_be_null(field.type)
    ]
    if needed:
        raise UnfitHeader(f"the contract needs {', '.join(needed)}, which the header does not have")
    columns = [
        (at, _column(name, root.by_name[name].type, compiler))
        for at, name in enumerate(header)
        if name not in unknown
    ]
    missing = [(name, fill) for name, fill in compiler.fills(root) if name not in header]
    filled = tuple(name for name, _ in missing)

    def convert(row: Sequence[str]) -> dict[str, Any] | Checked:
        record: dict[str, Any] = {}
        name = ""
        try:
            for at, column in columns:
                name, cell = column.name, row[at]
                if cell:
                    record[name] = column.convert(_json(cell) if column.is_json else cell)
                else:
                    record[name] = _empty(column)
        except Misfit as misfit:
            raise Unfit(misfit.inside(name)) from None
        except RecursionError:
            raise Unfit(Misfit("is nested too deeply").inside(name)) from None
        if not final:
            return record
        try:
            return Checked(schema, records.filled(record, missing), filled)
        except Misfit as misfit:
            raise Unfit(misfit) from None

    return convert


def _named(header: Sequence[str], root: Record) -> list[str]:
    """Return the header with the names of fields, for names that stand for one."""
    found = [name if name in root.by_name else stands_for(name) for name in header]
    found = [own if own in root.by_name else name for own, name in zip(found, header, strict=True)]
    for name, written in zip(found, header, strict=True):
        if found.count(name) > 1 and name in root.by_name:
            others = [one for own, one in zip(found, header, strict=True) if own == name and one != written]
            raise UnfitHeader(
                f"the columns {written!r} and {others[0]!r} are both the field {name}; rename one of them"
            )
    return found


def _shown(name: str) -> str:
    """A name, in quotes if one could not see where it ends."""
    return name if name.isidentifier() else repr(name)


def _column(name: str, node: AnyType, compiler: PlainCompiler) -> _Column:
    node = compiler.resolve(node)
    branches = [compiler.resolve(one) for one in node.branches] if isinstance(node, Union) else [node]
    empty: Any = Misfit("is empty")
    if any(one.type == "null" for one in branches):
        empty = None
    elif len(branches) == 1 and isinstance(branches[0].type, str) and _may_be_empty(branches[0]):
        empty = ""
    return _Column(name, compiler.field(name, node), any(map(_is_json, branches)), empty)


def _may_be_empty(node: AnyType) -> bool:
    return node.type in _EMPTY_TEXTS and getattr(node, "logical", None) is None


def _is_json(node: AnyType) -> bool:
    return isinstance(node, (Array, Map, Record)) or (isinstance(node, Fixed) and type_name(node) == "duration")


def _empty(column: _Column) -> Any:
    if isinstance(column.empty_is, Misfit):
        raise Misfit(column.empty_is.why)
    return None if column.empty_is is None else column.convert("")


def _json(cell: str) -> Any:
    try:
        return json_text.decode(cell)
    except Rejection as rejection:
        raise Misfit(f"{rejection.what} (a cell of this type is JSON)") from None
