"""Our verdicts compared with those of Avro's Java code, on the case folders and on generated pairs of schemas."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro.nodes import Enum, Field, Named, Reference, Union
from avro_data_contracts.contracts.avro.parsing import MISSING, Schema, parse, parse_stored
from avro_data_contracts.contracts.compat.resolution import (
    MISSING_UNION_BRANCH,
    READER_FIELD_MATCHES_SEVERAL,
    READER_FIELD_MISSING_DEFAULT_VALUE,
    TYPE_MISMATCH,
    Difference,
    differences,
)
from avro_data_contracts.contracts.errors import InvalidSchema

# -- where Avro 1.11.4 (Spark's) differs from the registry's 1.12.1; everything else must agree -------------------


def _default_of_a_later_branch(schema: Schema) -> bool:
    """Whether a union may have the default of a later branch, which 1.11 refuses and 1.12 accepts."""
    return any(isinstance(node, Union) for node in schema.walk()) and _has_defaults(schema)


def _forward_reference(schema: Schema) -> bool:
    """Whether a name is used before its definition, which 1.11 refuses (unless recursive) and 1.12 accepts."""
    return any(isinstance(node, Reference) and node.forward for node in schema.walk())


def _has_defaults(schema: Schema) -> bool:
    return any(isinstance(node, Field) and node.default is not MISSING for node in schema.walk())


#: Messages of 1.11 about schemas that 1.12 accepts, each with the condition under which it may appear.
REFUSED_BY_1_11: dict[str, Callable[[Schema], bool]] = {
    "Invalid default for field": _default_of_a_later_branch,
    "is not a defined name": _forward_reference,
    "Type not supported": _forward_reference,
    "Undefined name": _forward_reference,
    # 1.12 accepts a second definition that equals the first.
    "Can't redefine": lambda schema: True,
}

#: Our messages about schemas that 1.12 refuses and 1.11 accepts.
REFUSED_BY_1_12 = (
    # 1.11 does not check namespaces, and accepts letters of every script.
    "in the namespace",
    "only A-Z, a-z, 0-9 and _ are allowed",
    # 1.12 copies attributes, and cannot copy these.
    "a whole number beyond 64 bits",
    # 1.11 ignores text after the schema.
    "something after the end of the schema",
    # 1.12 knows a recursive type only after it has read all of it.
    "leads into the recursive type",
    "fixed -1",
)


def out_of_reach_alias(schema: Schema) -> bool:
    """Whether a type has an alias in the null namespace, which matches in 1.11 and never in 1.12."""
    return any(isinstance(node, Named) and any(one[0] == "." for one in node.aliases) for node in schema.walk())


def java_names(one: Difference) -> set[str]:
    """The rules that Java may report for `one`: it is less specific about union branches and new enum fields."""
    names = {one.rule, MISSING_UNION_BRANCH} if one.in_union else {one.rule}
    if one.rule == READER_FIELD_MISSING_DEFAULT_VALUE:
        field = one.reader.by_name[one.names[0]]
        if isinstance(field.type, Enum | Reference):
            names.add(TYPE_MISMATCH)
    return names


def looked_for_without_namespace(error: InvalidSchema, text: str) -> bool:
    """Whether only 1.11 resolves a short name inside a namespace to an enclosing type without a namespace."""

    def defined(value: Json, space: str) -> Iterator[str]:
        if isinstance(value, list):
            for one in value:
                yield from defined(one, space)
        elif isinstance(value, dict):
            if value.get("type") in ("record", "error", "enum", "fixed"):
                space, _, name = f"{value.get('namespace', space)}.{value['name']}".rpartition(".")
                yield f"{space}.{name}".strip(".")
            for key in ("type", "fields", "items", "values"):
                yield from defined(value.get(key), space)

    missing = re.search(r"nothing defines the type '(\w+)\.(\w+)'", error.what)
    if missing is None:
        return False
    names = set(defined(json.loads(text), ""))
    return missing[2] in names and ".".join(missing.groups()) not in names


def agree_on_validity(text: str, java: Any) -> tuple[Schema, Any] | None:
    """The schema as both parse it; None if both refuse it or they differ as listed above."""
    theirs = java.parse(text)
    refused = str(theirs) if isinstance(theirs, str) else ""
    try:
        ours = parse(text)
    except InvalidSchema as error:
        known = any(words in error.what for words in REFUSED_BY_1_12) or looked_for_without_namespace(error, text)
        if not refused and not known:
            pytest.fail(f"only we refuse it: {error}\n{text}")
        return None
    if not refused:
        return ours, theirs
    if not any(words in refused and applies(ours) for words, applies in REFUSED_BY_1_11.items()):
        pytest.fail(f"only Java refuses it: {refused}\n{text}")
    return None


# -- the case folders ------------------------------------------------------------------------------------------------


def test_cases_get_the_same_verdict_from_java(case: Any, java: Any) -> None:
    new = agree_on_validity(case.current, java)
    if new is None:
        return
    for text in case.previous:
        old = java.parse(text, defaults=False)
        if not isinstance(old, str):
            same_answer(new, (parse_stored(text), old), java)


def same_answer(reader: tuple[Schema, Any], writer: tuple[Schema, Any], java: Any) -> list[bool]:
    """Assert the same verdict and rules in both directions; return whether each direction is compatible."""
    answers = []
    for (our_reader, their_reader), (our_writer, their_writer) in ((reader, writer), (writer, reader)):
        ours = differences(our_reader, our_writer)
        theirs = set(java.rules(their_reader, their_writer))
        answers.append(not ours)
        if out_of_reach_alias(our_reader):
            assert ours or not theirs
        elif any(rule.startswith("gave up") for rule in theirs):
            assert [one.rule for one in ours] == [READER_FIELD_MATCHES_SEVERAL]
        else:
            assert bool(ours) == bool(theirs), (ours, theirs)
            assert theirs <= set().union(*map(java_names, ours))
    return answers


# -- generated pairs -------------------------------------------------------------------------------------------------

NAMES = ["A", "B", "C", "n.A", "m.B"]
FIELDS = ["f", "g", "h"]
PLAIN = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
SYMBOLS = ["X", "Y", "Z"]
Json = Any

defaults = st.one_of(
    st.sampled_from([None, True, 0, 1.5, 3_000_000_000, 10**19, "X", "NaN", [], {}]),
    st.dictionaries(st.sampled_from(FIELDS), st.sampled_from([None, 1, "X", {}]), max_size=2),
)
aliases = st.lists(st.sampled_from(["A", "B", "C", "n.A", "m.B", ".A"]), max_size=2)


@st.composite
def named(draw: st.DrawFn, inner: st.SearchStrategy[Json]) -> Json:
    kind = draw(st.sampled_from(["record", "record", "record", "enum", "fixed"]))
    found: dict[str, Json] = {"type": kind, "name": draw(st.sampled_from(NAMES))}
    if draw(st.integers(0, 3)) == 0:
        found["namespace"] = draw(st.sampled_from(["n", "m", ""]))
    if draw(st.integers(0, 3)) == 0:
        found["aliases"] = draw(aliases)
    if kind == "fixed":
        return {**found, "size": draw(st.sampled_from([4, 8]))}
    if kind == "enum":
        found["symbols"] = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
        if draw(st.booleans()):
            found["default"] = draw(st.sampled_from(found["symbols"]))
        return found
    found["fields"] = [
        draw(field(name, inner)) for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True))
    ]
    return found


@st.composite
def field(draw: st.DrawFn, name: str, inner: st.SearchStrategy[Json]) -> Json:
    found: dict[str, Json] = {"name": name, "type": draw(inner)}
    if draw(st.integers(0, 2)) == 0:
        found["default"] = draw(st.one_of(st.just(usual_default(found["type"])), defaults))
    if draw(st.integers(0, 4)) == 0:
        found["aliases"] = draw(st.lists(st.sampled_from(FIELDS), max_size=2))
    return found


def usual_default(kind: Json) -> Json:
    if isinstance(kind, list):
        return usual_default(kind[0]) if kind else None
    if isinstance(kind, dict):
        if kind["type"] == "record":
            return {one["name"]: usual_default(one["type"]) for one in kind["fields"]}
        return {"array": [], "map": {}, "enum": "X", "fixed": "1234"}.get(kind["type"])
    return {"boolean": True, "int": 1, "long": 1, "float": 1.5, "double": 1, "bytes": "", "string": ""}.get(kind)


def container(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    flat = inner.map(lambda kind: "int" if isinstance(kind, list) else kind)
    return st.one_of(
        named(inner),
        named(inner),
        inner.map(lambda kind: {"type": "array", "items": kind}),
        inner.map(lambda kind: {"type": "map", "values": kind}),
        st.lists(flat, max_size=3),
        flat.map(lambda kind: ["null", kind]),
    )


schemas = named(st.recursive(st.sampled_from(PLAIN + NAMES), container, max_leaves=5))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Json, Json]:
    """A schema, and a copy of it with a few edits."""
    first = draw(schemas)
    second = json.loads(json.dumps(first))
    for _ in range(draw(st.integers(0, 3))):
        second = draw(edited(second))
    return first, second


@st.composite
def edited(draw: st.DrawFn, schema: Json) -> Json:
    """Change `schema` at one random place; return the result, which may be `schema` itself."""
    holder = {"type": schema}
    where, key, role = draw(st.sampled_from(_places(holder)))
    now = where[key]
    if role == "type" and isinstance(now, dict) and "symbols" in now:
        now["symbols"] = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
    elif role == "type" and isinstance(now, dict) and "size" in now:
        now["size"] = 16
    elif role == "type" and isinstance(now, dict) and "fields" in now and draw(st.booleans()):
        _edit_fields(draw, now["fields"])
    elif role in ("type", "field") and isinstance(now, dict) and "name" in now and draw(st.booleans()):
        old = now["name"]
        now["name"] = draw(st.sampled_from(FIELDS if role == "field" else NAMES))
        if draw(st.booleans()):
            now["aliases"] = [old]
    elif role == "type" and isinstance(now, list) and draw(st.booleans()):
        now.reverse()
    elif role == "type":
        where[key] = draw(st.sampled_from([now if isinstance(now, list) else ["null", now], *PLAIN]))
    return holder["type"]


def _edit_fields(draw: st.DrawFn, fields: list[Json]) -> None:
    free = [name for name in FIELDS if name not in {one["name"] for one in fields}]
    if free and draw(st.booleans()):
        fields.append(draw(field(free[0], st.sampled_from([*PLAIN, ["null", "int"]]))))
    elif fields:
        fields.pop(draw(st.integers(0, len(fields) - 1)))


def _places(holder: Json) -> list[tuple[Json, Any, str]]:
    """The places of all types and fields: the container, the key in it, and `type` or `field`."""
    found: list[tuple[Json, Any, str]] = []
    waiting: list[tuple[Json, Any, str]] = [(holder, "type", "type")]
    while waiting:
        place = waiting.pop()
        found.append(place)
        where, key, role = place
        now = where[key]
        if role == "field":
            waiting.append((now, "type", "type"))
        elif isinstance(now, list):
            waiting += [(now, index, "type") for index in range(len(now))]
        elif isinstance(now, dict):
            waiting += [(now, key, "type") for key in ("items", "values") if key in now]
            waiting += [(now["fields"], index, "field") for index in range(len(now.get("fields", ())))]
    return found


TWO = [{"name": "f", "type": "int"}, {"name": "g", "type": "int"}]
INNER = {"type": "record", "name": "A", "namespace": "n", "fields": [{"name": "f", "type": "B"}]}
WITHIN = {"type": "record", "name": "B", "fields": [{"name": "f", "type": INNER}]}


def test_generated_pairs_get_the_same_verdict_from_java(java: Any) -> None:
    seen = Counter()

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(pairs())
    @example(({"type": "record", "name": "A", "fields": []}, {"type": "record", "name": "n.A", "fields": []}))
    @example(
        (
            {"type": "record", "name": "A", "fields": TWO},
            {"type": "record", "name": "A", "fields": [{"name": "f", "type": "int", "aliases": ["g"]}]},
        )
    )
    @example((WITHIN, WITHIN))
    def agree(pair: tuple[Json, Json]) -> None:
        first, second = (agree_on_validity(json.dumps(one), java) for one in pair)
        seen.update(["valid" if one else "invalid or listed" for one in (first, second)])
        if first and second:
            seen.update("compatible" if one else "incompatible" for one in same_answer(first, second, java))

    agree()
    # The pairs are varied enough: each answer occurred often.
    assert min(seen[answer] for answer in ("valid", "invalid or listed", "compatible", "incompatible")) > 50, seen
