"""What of a document another one does not say: told by comparing what was read with what is written again.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from avro_data_contracts.contracts.listing import few

#: Keys that identify an item of a list.
_NAMES: Final = ("property", "name", "server", "id", "username", "url")
_SHOWN: Final = 60


def told(given: Any, again: Any) -> list[str]:
    """Return what `again` lacks of `given`, or says differently, in words; each kind of loss once, with its places.

    What only `again` has is no loss.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for path, place, words in _of(given, again, "", ""):
        found.setdefault((path, words), []).append(place)
    return [
        f"{path}: {words}" + (f" ({few(places)})" if (places := [one for one in at if one]) else "")
        for (path, words), at in found.items()
    ]


def _of(given: Any, again: Any, path: str, place: str) -> Iterator[tuple[str, str, str]]:
    """Yield path without names of items, the names, and what is lost."""
    if isinstance(given, Mapping) and isinstance(again, Mapping):
        for key, one in given.items():
            inner = f"{path}.{key}" if path else str(key)
            if key in again:
                yield from _of(one, again[key], inner, place)
            elif isinstance(one, Mapping):
                yield from _of(one, {}, inner, place)
            elif one not in (None, "", []):
                yield inner, place, f"left out{_shown(one)}"
    elif isinstance(given, list) and isinstance(again, list):
        known = {_name(one): one for one in again}
        same = set(map(_exact, again))
        ours = {_name(one) for one in given}
        for number, one in enumerate(given):
            name = _name(one)
            at = f"{place}.{name}" if place and name else place or name
            if _exact(one) in same:
                continue
            if name and name in known:
                yield from _of(one, known[name], path, at)
            elif name and len(given) == len(again) and _name(again[number]) not in ours:  # it has another name
                yield from _of(one, again[number], path, at)
            else:
                yield path, at, "left out" if name else f"left out: {_text(one)}"
    elif _exact(given) != _exact(again):
        yield path, place, f"{_text(given)} becomes {_text(again)}"


def _name(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in _NAMES if key in item), "")


def _exact(value: Any) -> str:
    """One text for equal values; 1 and true, or 1 and 1.0, are not equal."""
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> str:
    return "" if isinstance(value, dict | list) else f": {_text(value)}"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
