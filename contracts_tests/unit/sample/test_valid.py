"""Every record that is made from a contract fits its schema and its rules, and is written as it is."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import patterns
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.sample import plain
from avro_data_contracts.contracts.sample.chance import Chance, NotFound
from avro_data_contracts.contracts.sample.matching import text_of
from contracts_tests.fixtures import examples, ruled, type_cases
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.sampled import attempted, body, contract_of, written
from contracts_tests.fixtures.type_cases import decimal, logical


def samples(contract: Contract, count: int, seed: int = 0) -> list[Any]:
    """Samples, each of which the producer takes, and writes as fastavro alone would."""
    found = list(itertools.islice(sample.records(contract, seed), count))
    judge = Judge(contract.rules)
    for one in found:
        assert written(contract, one) == body(contract, one)
        assert judge.first_broken(one) is None
        assert plain.takes(contract.value.schema, contract.value.schema.root, plain.of(contract.value.schema, one))
    return found


@pytest.mark.parametrize("name", sorted(loading.load(CLONE / "schemas").contracts))
def test_samples_of_our_contracts_are_valid(name: str) -> None:
    found = samples(loading.load_one(CLONE / "schemas", name), 500)
    assert len({one["id"] for one in found}) == 500


def test_samples_of_every_type_are_valid() -> None:
    cases = [*type_cases.cases()]
    contract = contract_of({f"f{number}": case.kind for number, case in enumerate(cases)})
    found = samples(contract, 300)
    for number, case in enumerate(cases):
        assert len({repr(one[f"f{number}"]) for one in found}) > 1, case.kind


@settings(max_examples=examples.of(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(ruled.contracts(), st.integers(0, 2**32))
def test_samples_of_invented_contracts_are_valid(contract: Contract, seed: int) -> None:
    found, fix = attempted(lambda: samples(contract, 5, seed))
    assert found or "rules can hold together" in fix


#: Rules that a search could give up on, though they can be satisfied.
HARD: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"a": "int", "b": "int"}, [{"expression": "a + b == 100"}, {"field": "a", "min": 99}, {"field": "b", "min": 1}]),
    ({"a": "long", "b": "long"}, [{"expression": "a * 2 - b == 7 and b > 1000000000000"}]),
    ({"m": "double"}, [{"expression": "m + m <= 7.5"}, {"field": "m", "min": -1e-9}]),
    (
        {"price": decimal(12, 2), "n": "int", "total": decimal(12, 2)},
        [{"expression": "price * n == total"}, {"field": "total", "min": 1}],
    ),
    ({"a": "string"}, [{"field": "a", "pattern": "[a-f0-9]{4,}"}, {"field": "a", "min_length": 200}]),
    ({"a": "string"}, [{"field": "a", "pattern": "[ab]+"}, {"field": "a", "max_length": 1}]),
    ({"a": "string"}, [{"expression": "not matches(a, r'[a-zA-Z0-9 ]*')"}]),
    ({"a": "string", "b": "string"}, [{"expression": "a == 'x' and b != 'x' or a == 'y' and b == 'x'"}]),
    (
        {"d": logical("int", "date"), "e": logical("int", "date")},
        [{"expression": "d < e"}, {"field": "e", "max": "0001-01-03"}],
    ),
    ({"t": logical("long", "timestamp-millis")}, [{"field": "t", "min": "9999-12-31T23:59:59.999Z"}]),
    (
        {"country": "string", "post_code": ["null", "string"]},
        [
            {"field": "country", "one_of": ["US"]},
            {
                "expression": "country != 'US' or post_code is not null and "
                r"matches(post_code, r'\d{5}(-\d{4})?')"
            },
        ],
    ),
    ({"tags": {"type": "array", "items": "int"}}, [{"field": "tags", "min_length": 50, "max_length": 50}]),
    ({"f": "float"}, [{"field": "f", "min": 0.1, "max": 0.1}]),
    ({"a": ["null", "int"], "b": ["null", "int"]}, [{"expression": "(a is null) == false or b is not null"}]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "rules"), HARD, ids=[json.dumps(rules)[:60] for _, rules in HARD])
def test_rules_that_can_be_satisfied_are(fields: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    for seed in range(5):
        samples(contract_of(fields, *rules), 20, seed)


@pytest.mark.parametrize(
    ("fields", "rules", "named"),
    [
        ({"a": "int"}, [{"field": "a", "min": 5}, {"field": "a", "max": 4}], "r1"),
        ({"a": "int"}, [{"field": "a", "max": 4}, {"expression": "a * a == 50"}], "r1"),
        ({"a": "string"}, [{"field": "a", "pattern": "[a-c]{3}"}, {"field": "a", "min_length": 4}], "r1"),
        ({"a": "null"}, [{"field": "a", "required": True}], "r0"),
        ({"a": "string"}, [{"field": "a", "pattern": r"\x00+"}], "r0"),
    ],
)
def test_rules_that_contradict_each_other_are_named(
    fields: dict[str, Any], rules: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"satisfies the rule {named}") as caught:
        next(sample.records(contract_of(fields, *rules)))
    assert caught.value.fix


def test_record_that_contains_itself_is_refused() -> None:
    endless = {"type": "record", "name": "Endless", "fields": [{"name": "inner", "type": "Endless"}]}
    with pytest.raises(ConfigurationError, match="contains itself without end"):
        next(sample.records(contract_of({"a": endless})))


def test_same_seed_gives_the_same_records() -> None:
    contract = loading.load_one(CLONE / "schemas", "users_created")
    assert samples(contract, 30, 7) == samples(contract, 30, 7)
    assert samples(contract, 30, 7) != samples(contract, 30, 8)


def test_names_and_tags_say_what_a_field_holds() -> None:
    tagged = {"name": "x", "type": "string", "confluent:tags": ["EMAIL"]}
    value = {"type": "record", "name": "Value", "fields": [tagged]}
    files = {"t/contract.yaml": "topic: t\nowner: o\ncompatibility: NONE\n", "t/value.avsc": json.dumps(value)}
    assert all("@" in one["x"] for one in samples(loading.from_files(files, "schemas").get("t"), 20))
    fields = {"customerEmail": "string", "id": "string", "age": "int", "unit_price": decimal(9, 2), "lat": "double"}
    found = samples(contract_of({**fields, "dob": logical("int", "date")}), 400)
    assert all("@" in one["customerEmail"] for one in found)
    assert len({one["id"] for one in found}) == 400
    usual = [
        one for one in found if 0 <= one["age"] <= 100 and -90 <= one["lat"] <= 90 and 1940 <= one["dob"].year <= 2006
    ]
    assert len(usual) > 300


def test_samples_have_edges_and_scripts() -> None:
    found = samples(contract_of({"a": "string", "n": "long", "d": logical("int", "date"), "f": "double"}), 3_000)
    assert {"", "NULL", "日本語 \U0001f600 e\u0301 \ufffd\uffff"} <= {one["a"] for one in found}
    assert any("\u0400" <= letter <= "\u04ff" for one in found for letter in one["a"])
    assert {-(2**63), 2**63 - 1, 0} <= {one["n"] for one in found}
    assert {"0001-01-01", "9999-12-31"} <= {str(one["d"]) for one in found}
    assert any(one["f"] != one["f"] for one in found)
    assert not any("\x00" in one["a"] for one in found)


def test_keys_are_neither_null_nor_empty() -> None:
    sinks = {"cassandra": {"keyspace": "k", "table": "t", "primary_key": ["a", "b"]}}
    contract = contract_of({"a": "string", "b": "bytes"}, sinks=sinks)
    assert all(one["a"] and one["b"] for one in samples(contract, 500))


def test_key_fields_fit_the_key_too() -> None:
    files = {
        "t/contract.yaml": "topic: t\nowner: o\ncompatibility: NONE\nkey: key.avsc\n",
        "t/key.avsc": json.dumps(type_cases.record("Key", ("id", "int"), ("kind", "string"))),
        "t/value.avsc": json.dumps(type_cases.record("Value", ("id", "long"), ("kind", ["null", "string"]))),
    }
    contract = loading.from_files(files, "schemas").get("t")
    for one in samples(contract, 200):
        assert -(2**31) <= one["id"] < 2**31
        assert one["kind"] is not None


def test_recursive_types_end() -> None:
    tree = {
        "type": "record",
        "name": "Tree",
        "fields": [
            {"name": "left", "type": ["null", "Tree"]},
            {"name": "children", "type": {"type": "array", "items": "Tree"}},
            {"name": "named", "type": {"type": "map", "values": ["null", "Tree"]}},
        ],
    }
    found = samples(contract_of({"tree": tree}), 100)
    assert any(one["tree"]["left"] and one["tree"]["left"]["left"] for one in found)


PATTERNS = st.recursive(
    st.sampled_from(["a", ".", "[a-z]", "[^a-z]", r"\d", r"\W", r"\S", r"[\w.-]", "é", r"\x41", r"[^\d\s]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        inner.map(lambda one: f"(?:{one}){{1,3}}"),
        inner.map(lambda one: f"({one})?"),
    ),
    max_leaves=8,
)


@settings(max_examples=examples.of(500), deadline=None)
@given(PATTERNS, st.integers())
def test_texts_match_their_pattern(text: str, seed: int) -> None:
    pattern = patterns.parse(text)
    assert pattern.compiled.fullmatch(text_of(pattern, Chance(seed), 5))


def test_pattern_without_storable_texts_has_none() -> None:
    with pytest.raises(NotFound):
        text_of(patterns.parse("\\x00"), Chance(0), 5)


def test_value_need_not_be_a_record() -> None:
    files = {"t/contract.yaml": "topic: t\nowner: o\ncompatibility: NONE\n"}
    for text in ('"string"', '["null", "int", "string"]', '{"type": "array", "items": "long"}'):
        contract = loading.from_files({**files, "t/value.avsc": text}, "schemas").get("t")
        for one in itertools.islice(sample.records(contract), 50):
            body(contract, one)
            plain.line(contract.value.schema, one)


def test_union_whose_json_is_unclear_is_refused() -> None:
    one = type_cases.record("A", ("x", "int"))
    other = type_cases.record("B", ("x", "int"))
    schema = parsing.parse(json.dumps(type_cases.record("Value", ("it", [one, other]))))
    with pytest.raises(ConfigurationError, match="several types of the union") as caught:
        plain.of(schema, {"it": ("A", {"x": 1})})
    assert caught.value.where == "it"
