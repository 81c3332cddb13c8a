"""What compatibility levels do not see: a change -> rule, message and mend.  Pure."""

from __future__ import annotations

from contracts.changes import Change, Kind
from contracts.nodes import Enum


def of(change: Change) -> tuple[str, str, str] | None:
    """Rule, message and mend; None where there is nothing to say."""
    match change.kind:
        case Kind.decimal:
            return (
                "DECIMAL_CHANGED",
                f"it was {change.old}, and is now {change.new}: the bytes of one are read as another number",
                "keep the decimal, or add a field with the new one beside it",
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
                f"{change.old!r} is gone and {change.new!r} is new, of the same type: renamed, it needs an alias, or "
                "old values are not found under the new name",
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


def grown(change: Change) -> tuple[str, str, str] | None:
    """The same of an enum whose symbols changed, where new readers alone are promised to."""
    old, new = change.before, change.after
    assert isinstance(old, Enum)
    assert isinstance(new, Enum)
    come = [one for one in new.symbols if one not in old.symbols]
    if not come or old.default is not None:
        return None
    return (
        "ENUM_WITHOUT_DEFAULT",
        f"{', '.join(come[:5])} is new, and readers that still have the old schema have no default to take instead",
        'give the enum itself a "default" and let readers move on first; or let them move before producers do',
    )
