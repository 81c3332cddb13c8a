"""`check` as a caller uses it; contracts_tests/evolution covers the verdict of each rule."""

from __future__ import annotations

import json

import pytest

from avro_data_contracts.contracts.avro.parsing import parse
from avro_data_contracts.contracts.compat.levels import LEVELS, Violation, check, check_schemas
from avro_data_contracts.contracts.errors import ConfigurationError, InvalidSchema

V1 = """{
  "type": "record", "name": "User", "fields": [
    {"name": "id", "type": "long"},
    {"name": "address", "type": {"type": "record", "name": "Address", "fields": [
      {"name": "city", "type": "string"}
    ]}}
  ]
}"""
V2 = V1.replace('{"name": "city", "type": "string"}', '{"name": "city", "type": "string"},\n      STREET').replace(
    "STREET", '{"name": "street", "type": "string"}'
)


def record(*fields: object, name: str = "R") -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


def test_violation_names_rule_position_and_fix() -> None:
    assert check(V2, [V1], "BACKWARD") == [
        Violation(
            rule="READER_FIELD_MISSING_DEFAULT_VALUE",
            path="address.street",
            message="the field 'street' is new and has no default: old records lack it",
            fix='give it a default, or make it ["null", ...] with the default null; if it was renamed, add an alias',
            direction="BACKWARD",
            version=0,
            line=6,
            column=16,
        )
    ]
    assert V2.splitlines()[5][15:].startswith('"street"')


def test_violation_uses_names_of_the_new_schema_in_both_directions() -> None:
    [gone] = check(V1, [V2], "FORWARD")
    assert (gone.path, gone.direction) == ("address.street", "FORWARD")
    assert gone.message == "the field 'street' is gone, and old readers have no default for it"
    # The field is gone, so the position is that of its record's fields.
    assert V1.splitlines()[gone.line - 1][gone.column - 1 :].startswith("[")

    renamed = record({"name": "b", "type": "string", "aliases": ["a"]})
    [mismatch] = check(renamed, [record({"name": "a", "type": "int"})], "BACKWARD")
    assert mismatch.path == "b"


def test_transitive_level_checks_the_oldest_version_too() -> None:
    history = [record({"name": "a", "type": "string"}), record({"name": "a", "type": "int"})]
    new = record({"name": "a", "type": "long"})
    assert check(new, history, "BACKWARD") == []
    [violation] = check(new, history, "BACKWARD_TRANSITIVE")
    assert violation.version == 0


def test_first_version_is_compatible_at_every_level() -> None:
    for level in LEVELS:
        assert check(V1, [], level) == []


@pytest.mark.parametrize("level", ["", "backward", "BACKWARDS", "FULL TRANSITIVE"])
def test_unknown_level_error_names_valid_levels(level: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        check(V1, [], level)
    assert not isinstance(error.value, InvalidSchema)
    assert "FULL_TRANSITIVE" in error.value.fix


def test_invalid_new_schema_is_refused_at_every_level() -> None:
    for level in LEVELS:
        with pytest.raises(InvalidSchema, match=r"user\.avsc:1:1: the record has no name"):
            check('{"type": "record"}', [V1], level, where="user.avsc")


def test_unreadable_earlier_schema_is_named() -> None:
    with pytest.raises(InvalidSchema, match="earlier schema 1:1:2"):
        check(V1, [V1, "{"], "BACKWARD")
    # A schema that is not compared is not read.
    assert check(V1, ["{", V1], "BACKWARD") == []
    assert check(V1, ["{"], "NONE") == []


def test_check_compares_types_of_other_schemas() -> None:
    old = parse('{"type": "enum", "name": "Kind", "symbols": ["A", "B"]}')
    new = parse('{"type": "enum", "name": "Kind", "symbols": ["A"]}')
    user = record({"name": "kind", "type": "Kind"})
    assert check(user, [user], "FULL", named=old.named) == []
    before, after = parse(user, named=old.named), parse(user, named=new.named)
    [violation] = check_schemas(after, [before], "BACKWARD")
    # The symbols are in another text, so the violation points at the name of the field in this one.
    assert (violation.rule, violation.path) == ("MISSING_ENUM_SYMBOLS", "kind")
    assert user[violation.column - 1 :].startswith('"kind"')


def test_violation_in_a_shared_type_is_reported_once() -> None:
    """A ladder where each level uses the one below twice; without memoisation the result has 2^60 parts."""

    def ladder(bottom: str) -> str:
        kind: object = {"type": "record", "name": "R0", "fields": [{"name": "v", "type": bottom}]}
        for level in range(1, 61):
            below = f"R{level - 1}"
            fields = [{"name": "a", "type": kind}, {"name": "b", "type": below}]
            kind = {"type": "record", "name": f"R{level}", "fields": fields}
        return json.dumps(kind)

    [violation] = check(ladder("int"), [ladder("string")], "BACKWARD")
    assert violation.path == ".".join(["a"] * 60 + ["v"])


def test_check_handles_1000_levels() -> None:
    def nested(bottom: str, depth: int) -> str:
        kind: object = bottom
        for level in range(depth):
            kind = {"type": "record", "name": f"R{level}", "fields": [{"name": "f", "type": kind}]}
        return json.dumps(kind)

    assert check(nested("long", 300), [nested("int", 300)], "BACKWARD") == []
    [violation] = check(nested("int", 300), [nested("long", 300)], "BACKWARD")
    assert violation.path == ".".join(["f"] * 300)
    arrays = '{"type": "array", "items": ' * 1000
    [violation] = check(arrays + '"int"' + "}" * 1000, [arrays + '"long"' + "}" * 1000], "BACKWARD")
    assert violation.path == "[]" * 1000


def test_check_handles_two_megabyte_schema_with_8000_violations() -> None:
    def wide(kind: str) -> str:
        inner = [{"name": "a", "type": kind, "doc": "x" * 150}]
        fields = [
            {"name": f"f{index}", "type": {"type": "record", "name": f"R{index}", "fields": inner}}
            for index in range(8000)
        ]
        return record(*fields)

    new, old = wide("int"), wide("string")
    assert len(new) > 2_000_000
    violations = check(new, [old], "BACKWARD")
    assert len(violations) == 8000
    assert violations[-1].path == "f7999.a"
    assert len({violation.column for violation in violations}) == 8000
