"""Whether the state of an aggregation goes on after a change of its view, or of its contract.  Pure.

The state of a group is numbers that events have flowed into, and the events are gone.  So it goes on if the same
events are in the same groups, and no number is asked for that it does not have.
"""

from __future__ import annotations

from avro_data_contracts.contracts.views.analysis import Analysis
from avro_data_contracts.contracts.views.grouping import Grouping, Kept


def broken(old: Analysis, new: Analysis) -> list[str]:
    """Return why the state of the old view is not one of the new view, each in words; none: it goes on."""
    if old.grouping is None and new.grouping is None:
        return []
    if old.grouping is None or new.grouping is None:
        return [f"it was of the kind {old.kind}, and is of the kind {new.kind}"]
    found = of_groups(old.grouping.identity, new.grouping)
    known = {one.said: one for one in old.grouping.kept}
    for one in new.grouping.kept:
        if one.said not in known:
            found.append(f"{_call(one.said)} is new")
        else:
            found += _retyped(known[one.said], one)
    before = old.by_name
    found += [
        f"{name} was {before[name].spark}, and is {one.spark}"
        for name, one in new.by_name.items()
        if name in new.grouping.groups
        and name in before
        and before[name].sql == one.sql
        and before[name].spark != one.spark
    ]
    return list(dict.fromkeys(found))


def _retyped(old: Kept, new: Kept) -> list[str]:
    """Return why a part of the state has another type; where none is certain, a field of it decides."""
    if old.spark and new.spark:
        return [f"{_call(new.said)} was {old.spark}, and is {new.spark}"] if old.spark != new.spark else []
    before = dict(old.fields)
    return [
        f"{path} in {_call(new.said)} was {before[path]}, and is {kind}"
        for path, kind in new.fields
        if before.get(path, kind) != kind
    ]


def of_groups(identity: tuple[str, ...], new: Grouping) -> list[str]:
    """Return how the groups differ from those with another `Grouping.identity`."""
    if identity == new.identity:
        return []
    (*was, condition), (*now, wanted) = identity, new.identity
    joined, joins = (part[-1] if part and _is_join(part[-1]) else "" for part in (was, now))
    was, now = ([one for one in part if not _is_join(one)] for part in (was, now))
    found = [f"it grouped by {', '.join(was)}, and groups by {', '.join(now)}"] if was != now else []
    if joined != joins:
        found.append(f"it joined {joined}" if joined else "it joined nothing")
    if condition != wanted:
        found.append(f"WHERE was {condition}" if condition else "there was no WHERE")
    return found


def _is_join(said: str) -> bool:
    words = said.split()
    return "join" in words[:3] and words[0] in ("join", "left", "inner")


def _call(said: str) -> str:
    return said.rpartition(" #")[0]
