"""What compatibility levels do not see: a change -> rule, message and fix.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.avro.nodes import Enum
from contracts.compat.changes import Change, Kind

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
                "keep the scale, or add a field with the new one beside it",
            )
        case Kind.precision if widened(change):
            return (
                "DECIMAL_WIDENED",
                f"it was {change.old}, and is now {change.new}: every old number stays what it is, and a new one may "
                "have more digits than old readers and columns hold",
                "widen readers and columns before a producer sends larger numbers",
            )
        case Kind.precision:
            return (
                "DECIMAL_CHANGED",
                f"it was {change.old}, and is now {change.new}: old numbers may have more digits than that "
                "holds, and such records cannot be read",
                "keep the precision, or add a field with the new one beside it",
            )
        case Kind.logical:
            return (
                "LOGICAL_TYPE_CHANGED",
                f"its logical type was {change.old}, and is now {change.new}: the same bytes mean something else",
                "keep the type, or add a field with the new one beside it",
            )
        case Kind.looks_renamed:
            return (
                "LOOKS_RENAMED",
                f"{change.old!r} is gone and {change.new!r} is new, of the same type and a like name or the same "
                "doc: renamed, it needs an alias, or old values are not found under the new name",
                f'add "aliases": ["{change.old}"]; where the two have nothing in common, approve it',
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
            return "TAG_REMOVED", f"the tag {gone} is gone", "keep it while the field holds such data"
        case Kind.doc if not change.after.strip():
            return "DOC_REMOVED", "its doc is gone", "keep it"
    return None


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def widened(change: Change) -> bool:
    """A decimal got more digits, all of them before the point: what it held before stays the same number."""
    return change.kind is Kind.precision and change.after.precision > change.before.precision


def narrowed(change: Change) -> bool:
    """A decimal got fewer digits, and as many after the point: what it held before may be too long."""
    return change.kind is Kind.precision and change.after.precision < change.before.precision


def _grown(change: Change) -> Told | None:
    """Old readers meet symbols that they do not know; where the level asks for them, it is refused by that."""
    old, come = change.before, _lacking(change.after, change.before)
    if not come or old.default is not None:
        return None
    return (
        "ENUM_WITHOUT_DEFAULT",
        f"{_some(come)} is new, and readers that still have the old schema have no default to take instead",
        'give the enum itself a "default" and let readers move on first; or let them move before producers do',
    )


def _shrunk(change: Change) -> Told | None:
    """New readers take the default for symbols that are gone; without one the levels refuse it."""
    new, gone = change.after, _lacking(change.before, change.after)
    if not gone or new.default is None:
        return None
    return (
        "SYMBOL_BECOMES_DEFAULT",
        f"{_some(gone)} is gone: records that hold it are read as {new.default}, the enum's default, and nothing "
        "tells the two apart",
        "keep the symbol while records that hold it are read",
    )


def _lacking(one: Enum, other: Enum) -> list[str]:
    """Symbols of `one` that `other` has not."""
    return [symbol for symbol in one.symbols if symbol not in other.symbols]


def _some(symbols: list[str]) -> str:
    more = f" and {len(symbols) - 5} more" if len(symbols) > 5 else ""
    return ", ".join(symbols[:5]) + more
