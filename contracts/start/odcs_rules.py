"""The `quality` and the limits of a document of the Open Data Contract Standard, as rules.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import reading
from avro_data_contracts.contracts.quality.rules import RuleSpec

_LONGEST: Final = 64
#: The last word of a rule's name -> keys of `logicalTypeOptions`, and those of the rule.
_LIMITS: Final = {
    "length": {"minLength": "min_length", "maxLength": "max_length"},
    "range": {"minimum": "min", "maximum": "max"},
}


def of(source: Mapping[str, Any], schema: Schema) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules of an object that a contract can have, and words about those that it cannot.

    In the object, a `quality` that became a rule gets the name of that rule, and limits that did are taken out: so
    nobody takes them for lost.
    """
    found: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for one in _objects(source.get("properties")):
        field, options = str(one.get("name")), one.get("logicalTypeOptions")
        if not isinstance(options, dict):
            continue
        for word, keys in _LIMITS.items():
            limits = {ours: options[theirs] for theirs, ours in keys.items() if theirs in options}
            rule = {"name": _name(f"{field}_{word}", found), "field": field, **limits}
            if limits and not _refusal(rule, schema):
                found[rule["name"]] = rule
                one["logicalTypeOptions"] = options = {key: options[key] for key in options if key not in keys}
    for quality, field in _all(source):
        asked = _asked(quality, field)
        if asked is None:
            continue  # the comparison tells it
        name = _name(str(quality.get("name") or f"{field}_{quality.get('metric', 'rule')}"), found)
        described = quality.get("description")
        rule = {"name": name, **asked, **({"description": described} if isinstance(described, str) else {})}
        if refusal := _refusal(rule, schema):
            notes.append(f"the rule {name} is left out: {refusal}")
            continue
        found[name] = rule
        if quality.get("name", name) != name:
            notes.append(f"the rule {quality['name']!r} is called {name}")
        quality["name"] = name
    return list(found.values()), notes


def _refusal(rule: Mapping[str, Any], schema: Schema) -> str:
    """Why a contract with this schema cannot have the rule; empty if it can."""
    try:
        reading.read([RuleSpec.model_validate(rule)], schema, lambda *_: ("", 0))
    except ValidationError as error:
        return error.errors()[0]["msg"]
    except ConfigurationError as error:
        return error.what
    return ""


def _all(source: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each quality with the field that it is about; empty for the object."""
    for holder, field in [(source, ""), *((one, str(one.get("name"))) for one in _objects(source.get("properties")))]:
        for quality in _objects(holder.get("quality")):
            yield quality, field


def _asked(quality: Mapping[str, Any], field: str) -> dict[str, Any] | None:
    implementation = quality.get("implementation")
    if quality.get("engine") == "contracts" and isinstance(implementation, Mapping):
        return dict(implementation)
    if not field or quality.get("mustBe") != 0 or quality.get("unit") not in (None, "rows"):
        return None
    arguments = quality.get("arguments")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    if quality.get("metric") == "nullValues":
        return {"field": field, "required": True}
    if quality.get("metric") == "invalidValues" and isinstance(arguments.get("pattern"), str):
        return {"field": field, "pattern": arguments["pattern"]}
    if quality.get("metric") == "invalidValues" and isinstance(arguments.get("validValues"), list):
        return {"field": field, "one_of": arguments["validValues"]}
    return None


def _name(wanted: str, taken: Mapping[str, Any]) -> str:
    plain = re.sub(r"[^a-z0-9_]+", "_", wanted.lower()).strip("_")[: _LONGEST - 4]
    plain = plain if plain[:1].isalpha() else f"rule_{plain}"[: _LONGEST - 4]
    found, number = plain, 2
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
