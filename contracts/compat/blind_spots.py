"""What compatibility levels do not see: a change -> rule, message and fix.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from avro_data_contracts.contracts.avro.nodes import Enum
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.listing import few

Told = tuple[str, str, str]


def of(change: Change, *, forward: bool) -> Iterator[Told]:
    """Rule, message and fix of everything that there is to say.

    Args:
        forward: the level promises that old readers read new records, and says itself what they cannot.
    """
    if change.kind is Kind.symbols:
        if not forward and (found := _grown(change)):
            yield found
        if found := _shrunk(change):
            yield found
    elif found := _one(change):
        yield found


def _one(change: Change) -> Told | None:
    match change.kind:
        case Kind.decimal:
            return (
                "DECIMAL_CHANGED",
                f"it was {change.old}, and is now {change.new}: the bytes of one are read as another number",
                "keep the scale, or add another field with the new scale",
            )
        case Kind.precision if widened(change):
            return (
                "DECIMAL_WIDENED",
                f"it was {change.old}, and is now {change.new}: old numbers keep their value, but a new one may "
                "have more digits than old readers and columns hold",
                "widen readers and columns before a producer sends larger numbers",
            )
        case Kind.precision:
            return (
                "DECIMAL_CHANGED",
                f"it was {change.old}, and is now {change.new}: old numbers may have more digits than "
                "that, and such records cannot be read",
                "keep the precision, or add another field with the new precision",
            )
        case Kind.logical:
            return (
                "LOGICAL_TYPE_CHANGED",
                f"its logical type was {change.old}, and is now {change.new}: the same bytes mean something else",
                "keep the type, or add another field with the new type",
            )
        case Kind.logical_read:
            return (
                "LOGICAL_TYPE_READ",
                f"Avro ignored its logical type, and now reads {change.new}: the bytes stay the same, but generated "
                "classes and columns get another type",
                "tell those who generate classes from the schema",
            )
        case Kind.looks_renamed:
            return (
                "LOOKS_RENAMED",
                f"{change.old!r} is gone and {change.new!r} is new, with the same type and a similar name or the "
                "same doc: a renamed field needs an alias, or readers do not find old values under the new name",
                f'add "aliases": ["{change.old}"]; if the two have nothing in common, approve the change',
            )
        case Kind.namespace:
            return (
                "NAMESPACE_CHANGED",
                f"the namespace was {change.old}, and is now {change.new}: generated classes move",
                "keep the namespace",
            )
        case Kind.default if change.before.has_default and change.after.has_default:
            return (
                "DEFAULT_CHANGED",
                f"the default was {change.old}, and is now {change.new}: readers fill in another value",
                "keep the default, or tell the consumers",
            )
        case Kind.tags if set(_list(change.before)) - set(_list(change.after)):
            gone = ", ".join(sorted(set(_list(change.before)) - set(_list(change.after))))
            return "TAG_REMOVED", f"the tag {gone} is gone", "keep the tag while the field holds such data"
        case Kind.doc if not change.after.strip():
            return "DOC_REMOVED", "its doc is gone", "keep the doc"
    return None


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def widened(change: Change) -> bool:
    """Whether a decimal got more digits, all of them before the point: old values stay the same numbers."""
    return change.kind is Kind.precision and change.after.precision > change.before.precision


def narrowed(change: Change) -> bool:
    """Whether a decimal got fewer digits, but the same number after the point: old values may be too long."""
    return change.kind is Kind.precision and change.after.precision < change.before.precision


def _grown(change: Change) -> Told | None:
    """New symbols, which old readers do not know; a level that protects old readers refuses them itself."""
    old, come = change.before, _lacking(change.after, change.before)
    if not come or old.default is not None:
        return None
    return (
        "ENUM_WITHOUT_DEFAULT",
        f"{few(come, 5)} is new, and readers with the old schema have no default to use instead",
        "upgrade readers before producers; or first give the enum itself a default that is an old symbol",
    )


def _shrunk(change: Change) -> Told | None:
    """Removed symbols, which new readers replace by the default; without one the levels refuse the change."""
    new, gone = change.after, _lacking(change.before, change.after)
    if not gone or new.default is None:
        return None
    return (
        "SYMBOL_BECOMES_DEFAULT",
        f"{few(gone, 5)} is gone: records that hold it are read as {new.default}, the enum's default, and nothing "
        "tells the two apart",
        "keep the symbol as long as somebody reads records that hold it",
    )


def _lacking(one: Enum, other: Enum) -> list[str]:
    """Symbols of `one` that `other` lacks."""
    return [symbol for symbol in one.symbols if symbol not in other.symbols]
