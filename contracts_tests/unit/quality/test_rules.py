"""Quality rules: what each kind accepts and rejects, and every mistake in a rule, reported with its line."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from decimal import Decimal
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import patterns
from avro_data_contracts.contracts.quality.judge import Judge
from contracts_tests.fixtures.clone import CLONE

FIELDS: dict[str, Any] = {
    "text": ["null", "string"],
    "code": ["null", {"type": "enum", "name": "Code", "symbols": ["A", "B"]}],
    "flag": ["null", "boolean"],
    "small": ["null", "int"],
    "big": ["null", "long"],
    "ratio": ["null", "float"],
    "measure": ["null", "double"],
    "price": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}],
    "wide": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0}],
    "born": ["null", {"type": "int", "logicalType": "date"}],
    "seen": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
    "wall": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}],
    "at": ["null", {"type": "int", "logicalType": "time-millis"}],
    "blob": ["null", "bytes"],
    "tags": ["null", {"type": "array", "items": "string"}],
    "inner": ["null", {"type": "record", "name": "In", "fields": [{"name": "n", "type": ["null", "int"]}]}],
    "either": ["null", "int", "string"],
}
SCHEMA = {
    "type": "record",
    "name": "Everything",
    "fields": [
        *({"name": name, "type": kind, "default": None} for name, kind in FIELDS.items()),
        {"name": "level", "type": "int", "default": 3},
    ],
}
HEAD = "topic: t\nowner: o\ncompatibility: NONE\nrules:\n"


def contract(*asked: dict[str, Any], text: str = "", schema: Any = SCHEMA) -> Contract:
    named = [{"name": f"r{number}", **one} for number, one in enumerate(asked)]
    written = text or HEAD + yaml.safe_dump(named, sort_keys=False)
    files = {"t/contract.yaml": written, "t/value.avsc": json.dumps(schema)}
    return loading.from_files(files, "schemas").get("t")


def refusal(*asked: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        contract(*asked, **more)
    assert caught.value.fix
    return str(caught.value)


def breaks(record: dict[str, Any], **asked: Any) -> bool:
    return Judge(contract(asked).rules).first_broken(record) is not None


UTC = dt.UTC
GOOD_AND_BAD: list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = [
    ({"field": "text", "required": True}, [{"text": ""}], [{"text": None}, {}]),
    ({"field": "inner.n", "required": True}, [{"inner": {"n": 0}}], [{"inner": None}, {"inner": {}}, {}]),
    (
        {"field": "text", "pattern": "^a.c$"},
        [{"text": "abc"}, {"text": "a😀c"}],
        [{"text": "abcd"}, {"text": "abc\n"}],
    ),
    ({"field": "text", "pattern": r"\d+"}, [{"text": "12"}], [{"text": "٣"}, {"text": ""}]),
    ({"field": "code", "pattern": "A"}, [{"code": "A"}], [{"code": "B"}]),
    ({"field": "small", "min": 0, "max": 9}, [{"small": 0}, {"small": 9}], [{"small": -1}, {"small": 10}]),
    ({"field": "small", "max": 3}, [{"small": 3.9}, {"small": True}], [{"small": 4}]),  # Avro's writer truncates it
    ({"field": "big", "max": 2**53}, [{"big": 2**53}], [{"big": 2**53 + 1}]),
    ({"field": "big", "min": 0.5}, [{"big": 1}], [{"big": 0}]),
    (
        {"field": "ratio", "max": 0.1},
        [{"ratio": 0.1}, {"ratio": -math.inf}],
        [{"ratio": 0.1000001}, {"ratio": math.nan}],
    ),
    (
        {"field": "measure", "min": 0},
        [{"measure": -0.0}, {"measure": 1}],
        [{"measure": math.nan}, {"measure": -1e-300}],
    ),
    ({"field": "price", "min": 0.01}, [{"price": Decimal("0.01")}, {"price": b"\x01"}], [{"price": Decimal(0)}]),
    (
        {"field": "price", "max": "123456789012345678.90"},
        [{"price": Decimal("123456789012345678.90")}],
        [{"price": Decimal("123456789012345678.91")}],
    ),
    (
        {"field": "born", "min": dt.date(1900, 1, 1), "max": "1999-12-31"},
        [{"born": dt.date(1900, 1, 1)}, {"born": 0}, {"born": "1999-12-31"}],
        [{"born": dt.date(2000, 1, 1)}, {"born": -30_000}],
    ),
    (
        {"field": "seen", "max": "2020-01-01T01:00:00+01:00"},
        [{"seen": dt.datetime(2020, 1, 1, 0, 0, 0, 999, UTC)}, {"seen": 0}],  # sent without its microseconds
        [{"seen": dt.datetime(2020, 1, 1, 0, 0, 0, 1_000, UTC)}],
    ),
    (
        {"field": "wall", "min": "2020-01-01T00:00:00"},
        [{"wall": dt.datetime(2020, 1, 1)}],
        [{"wall": dt.datetime(2019, 12, 31, 23, 59, 59)}],
    ),
    ({"field": "text", "min_length": 1, "max_length": 2}, [{"text": "😀é"}], [{"text": ""}, {"text": "e\u0301a"}]),
    ({"field": "blob", "max_length": 1}, [{"blob": b"a"}], [{"blob": "é".encode()}]),
    ({"field": "tags", "min_length": 1}, [{"tags": ["a"]}], [{"tags": []}]),
    ({"field": "text", "one_of": ["a", "b"]}, [{"text": "a"}], [{"text": "A"}]),
    ({"field": "price", "one_of": [1, "0.50"]}, [{"price": Decimal("0.5")}], [{"price": Decimal("0.51")}]),
    ({"field": "level", "max": 3}, [{}, {"level": 2}], [{"level": 4}]),  # a missing field has its default
    ({"field": "small", "max": 1}, [{"small": ("int", 1)}], [{"small": ("int", 2)}]),  # a named branch of a union
    ({"expression": "flag"}, [{"flag": True}], [{"flag": False}]),
    ({"expression": "big * small <= 100"}, [{"big": 10, "small": 10}], [{"big": 2**62, "small": 4}]),
    (
        {"expression": "big * small + price == 100.25"},
        [{"big": 100, "small": 1, "price": Decimal("0.25")}],
        [{"big": 2**63 - 1, "small": 2**31 - 1, "price": Decimal("0.25")}],
    ),
    (
        {"expression": "text is null or small > 0 and flag is not null"},
        [{"small": -1}, {"text": "", "small": 1, "flag": False}],
        [{"text": "", "small": 1}],
    ),
    ({"expression": "1 <= small < 3"}, [{"small": 1}], [{"small": 3}, {"small": 0}]),
    ({"expression": "not (small > 1)"}, [{"small": 1}], [{"small": 2}]),
    ({"expression": "code not in ('A',)"}, [{"code": "B"}], [{"code": "A"}]),
    ({"expression": "len(text) <= small"}, [{"text": "ab", "small": 2}], [{"text": "abc", "small": 2}]),
    ({"expression": "matches(text, r'\\d')"}, [{"text": "1"}], [{"text": "11"}]),
    ({"expression": "born < '2000-01-01'"}, [{"born": dt.date(1999, 12, 31)}], [{"born": dt.date(2000, 1, 1)}]),
    (
        {"expression": "measure != ratio"},
        [{"measure": math.nan, "ratio": math.nan}],
        [{"measure": 0.5, "ratio": 0.5}],
    ),
    ({"expression": "-small == 1"}, [{"small": -1}], [{"small": 1}]),
]


@pytest.mark.parametrize(("asked", "good", "bad"), GOOD_AND_BAD, ids=lambda one: str(one)[:60])
def test_rule_accepts_good_records_and_rejects_bad_ones(
    asked: dict[str, Any], good: list[dict[str, Any]], bad: list[dict[str, Any]]
) -> None:
    assert [record for record in good if breaks(record, **asked)] == []
    assert [record for record in bad if not breaks(record, **asked)] == []


@pytest.mark.parametrize("asked", [asked for asked, _, _ in GOOD_AND_BAD if not {"required"} & set(asked)], ids=str)
def test_null_breaks_only_required(asked: dict[str, Any]) -> None:
    # Every field is null: one expression asks for more as soon as another field has a value.
    record = dict.fromkeys(FIELDS)
    assert not breaks(record, **asked)


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("flag and small > 0", None),
        ("flag and small < 0", False),
        ("flag or small > 0", True),
        ("flag or small < 0", None),
        ("not flag", None),
        ("flag == true", None),
        ("flag in (true,)", None),
        ("flag is null", True),
    ],
)
def test_expression_follows_three_valued_logic_of_sql(expression: str, verdict: bool | None) -> None:
    """The expression and its negation, which distinguish the three values: `flag` is null, `small` is 1."""
    record = {"flag": None, "small": 1}
    assert breaks(record, expression=expression) == (verdict is False)
    assert breaks(record, expression=f"not ({expression})") == (verdict is True)


def test_first_broken_rule_in_contract_order_is_reported() -> None:
    judge = Judge(
        contract(
            {"field": "small", "min": 5}, {"field": "small", "min": 3}, {"field": "text", "required": True}
        ).rules
    )
    assert [judge.first_broken(one) and judge.first_broken(one).reason for one in ({"small": 1}, {"small": 9})] == [
        "RULE:r0",
        "RULE:r2",
    ]
    assert judge.first_broken({"small": 9, "text": ""}) is None


def test_message_has_description_or_else_the_requirement() -> None:
    made = contract(
        {"field": "text", "pattern": "a+"},
        {"field": "small", "min": 1, "max": 2, "description": "small is small"},
        {"expression": "small >\n  1"},
        {"field": "text", "required": True},
        {"field": "text", "one_of": [f"value {number}" for number in range(50)]},
    ).rules
    assert [one.message.removeprefix("breaks the rule ") for one in made[:4]] == [
        "r0: text: pattern a+",
        "r1: small is small",
        "r2: small > 1",
        "r3: text: is required",
    ]
    assert len(made[4].message) < 160


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"field": "txt", "pattern": "a"}, "there is no field 'txt'"),
    ({"field": "inner.m", "min": 1}, "there is no field 'inner.m'"),
    ({"field": "tags.x", "min": 1}, "tags is array: a rule can only name fields of records"),
    ({"field": "either.x", "min": 1}, "either is union: a rule can only name fields of records"),
    ({"field": "text", "min": 1}, "text is a text, 1 is a whole or decimal number"),
    ({"field": "text", "min": "a"}, "text is a text: it cannot be compared with >="),
    ({"field": "flag", "max": True}, "flag is a boolean: it cannot be compared with <="),
    ({"field": "small", "min": "one"}, "small is a whole or decimal number, 'one' is a text"),
    ({"field": "small", "min": True}, "small is a whole or decimal number"),
    ({"field": "small", "min": math.nan}, "nan cannot be a bound"),
    ({"field": "small", "min": "NaN"}, "small is a whole or decimal number, 'NaN' is a text"),
    ({"field": "price", "max": 1234567890123456.78}, "has too many digits: YAML may have rounded it"),
    ({"field": "wide", "max": 0.5}, "the comparison can need 39 digits, and Spark has 38"),
    ({"field": "born", "min": "1900"}, "born is a date, '1900' is a text"),
    ({"field": "born", "min": 1900}, "born is a date"),
    ({"field": "seen", "min": "2020-01-01T00:00:00"}, "write a timestamp with its zone"),
    ({"field": "seen", "min": dt.date(2020, 1, 1)}, "write a timestamp with its zone"),
    ({"field": "wall", "min": "2020-01-01T00:00:00Z"}, "write a local timestamp without a zone"),
    ({"field": "small", "min": 2, "max": 1}, "min is greater than max"),
    ({"field": "small", "pattern": "1"}, "small is a whole or decimal number, but a pattern needs a text"),
    ({"field": "small", "max_length": 1}, "which has no length"),
    ({"field": "at", "min": 1}, "at is of a type that has no rules but `required`"),
    ({"field": "either", "min_length": 1}, "either is of a type that has no rules but `required`"),
    ({"field": "code", "one_of": ["A", "X"]}, "code has no symbol 'X'"),
    ({"field": "text", "one_of": []}, "the list is empty"),
    ({"field": "text", "one_of": ["a", 1]}, "text is a text, 1 is a whole or decimal number"),
    ({"field": "text", "one_of": ["a", None]}, "a NoneType is not a constant"),
    ({"field": "measure", "one_of": [1]}, "which cannot have a list of values"),
    ({"field": "text", "pattern": "a("}, "is not a regular expression"),
    ({"expression": "small"}, "small is a whole or decimal number, but must be true or false"),
    ({"expression": "small >"}, "the expression cannot be parsed"),
    ({"expression": "true"}, "the expression names no field"),
    ({"expression": "1 < 2"}, "the expression compares two constants"),
    ({"expression": "small > text"}, "small is a whole or decimal number, text is a text"),
    ({"expression": "small < ratio"}, "small is a whole or decimal number, ratio is a float or double"),
    ({"expression": "small + ratio > 1"}, "small is a whole or decimal number, ratio is a float or double"),
    ({"expression": "text + text == 'a'"}, "text is a text, but + needs numbers"),
    ({"expression": "big * big > 0"}, "the result of * can need 39 digits"),
    ({"expression": "small / 2 > 1"}, "small / 2 is not allowed in an expression"),
    ({"expression": "small ** 2 > 1"}, "is not allowed in an expression"),
    ({"expression": "len(small) > 1"}, "which has no length"),
    ({"expression": "len(text, text) > 1"}, "is not allowed in an expression"),
    ({"expression": "open('x') == 1"}, "is not allowed in an expression"),
    ({"expression": "text.upper() == 'A'"}, "is not allowed in an expression"),
    ({"expression": "().__class__ is null"}, "is not a field"),
    ({"expression": "text == null"}, "null is only allowed after `is`"),
    ({"expression": "text is 'a'"}, "'a' comes after `is`, where only null is allowed"),
    ({"expression": "'a' is null"}, "'a' is not a field"),
    ({"expression": "text in code"}, "code comes after `in`"),
    ({"expression": "text in (code, 'a')"}, "contains something other than constants"),
    ({"expression": "text == f'{code}'"}, "is not allowed in an expression"),
    ({"expression": "matches(text, code)"}, "is not allowed in an expression"),
    ({"expression": "matches(text, '\\d')"}, "invalid escape sequence"),
    ({"expression": "small == 1j"}, "1j is not allowed in an expression"),
    ({"expression": "code == 'X'"}, "code has no symbol 'X'"),
    ({"expression": "born < '2020-13-01'"}, "write a date as '2020-12-31'"),
    ({"expression": "nothing > 1"}, "there is no field 'nothing'"),
    ({"expression": "(" * 300 + "flag" + ")" * 300}, "the expression cannot be parsed: too many nested parentheses"),
    ({"expression": "flag or " * 200 + "flag"}, "the expression has 1604 characters"),
]


@pytest.mark.parametrize(("asked", "words"), WRONG, ids=lambda one: str(one)[:60])
def test_rule_that_does_not_fit_its_field_is_refused_with_its_line(asked: dict[str, Any], words: str) -> None:
    rules = [{"name": "r0", "field": "text", "required": True}, {"name": "r1", **asked}]
    written = HEAD + yaml.safe_dump(rules, sort_keys=False)
    told = refusal(text=written)
    assert words in told
    is_about_the_field = "field" in asked and ("there is no field" in words or "can only name fields" in words)
    key = "field" if is_about_the_field else next(key for key in asked if key != "field")
    before, _, _ = written.rpartition(f"  {key}:")
    assert told.startswith(f"schemas/t/contract.yaml:{before.count(chr(10)) + 1}: rule r1: ")


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("{name: a}", "a rule has one of required, pattern, min and/or max"),
        ("{name: a, field: text, required: true, pattern: a}", "this one has required, pattern"),
        ("{name: a, field: text, required: false}", "required must be true"),
        ("{name: a, pattern: a}", "a rule needs a field; only an expression has none"),
        ("{name: a, field: text, expression: flag}", "a rule needs a field; only an expression has none"),
        ("{name: Bad-Name, field: text, required: true}", "rules.0.name: 'Bad-Name' should have only lower-case"),
        ("{name: a, field: text, min_length: -1}", "rules.0.min_length: input should be greater than or equal to 0"),
        ("{field: text, required: true}", "rules.0.name: is missing"),
        (
            "{name: a, field: text, minimum: 1}",
            "valid names here: name, description, field, required, pattern, min, max",
        ),
    ],
)
def test_malformed_rule_is_refused_with_its_line(item: str, words: str) -> None:
    told = refusal(text=f"{HEAD}- {item}\n")
    assert words in told
    assert told.startswith("schemas/t/contract.yaml:5: ")


def test_two_rules_with_one_name_are_refused() -> None:
    told = refusal({"field": "text", "required": True}, {"name": "r0", "field": "code", "required": True})
    assert "two rules are called r0" in told


def test_rule_for_value_other_than_record_is_refused() -> None:
    told = refusal({"field": "a", "min": 1}, schema="string")
    assert "the value is string: a rule can only name fields of records" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(?=a)a", "a look-ahead"),
        ("a(?<!b)c", "a look-ahead or look-behind"),
        (r"(a)\1", "a back-reference"),
        (r"(?P<n>a)(?P=n)", "a back-reference"),
        ("(?i)a", "a flag such as (?i)"),
        ("(?i:a)", "a flag such as (?i:...)"),
        ("(?s:.)", "a flag such as (?i:...)"),
        (r"a\bb", r"\b in its middle"),
        ("a|^b", "^, $"),
        ("a$b", "^, $"),
        ("a++", "a possessive quantifier"),
        ("(?>a)", "an atomic group"),
        ("(a)?(?(1)b|c)", "a conditional group"),
        ("[[a]", "[, &&"),
        ("[a&&b]", "[, &&"),
        (r"\p{L}", "is not a regular expression"),
        (r"\q", "is not a regular expression"),
        (r"\z", "the pattern"),
        (r"\ud83d", "half of a surrogate pair"),
        ("(?:ab)*", "repeats its groups without end"),
        ("(?:a+b){0,2000}", "more than 1000 times"),
        ("(?:(?:ab){0,40}c){0,40}", "more than 1000 times"),
        ("a{0,20000}", "more than 10000 times"),
        ("a" * 501, "the pattern has 501 characters"),
    ],
)
def test_pattern_that_java_reads_differently_or_slowly_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        patterns.parse(text)


@pytest.mark.parametrize(
    ("text", "java"),
    [
        ("^a.$", r"\x{61}[^\n]"),
        ("(?:a)*", r"\x{61}{0,}"),
        ("(?P<n>ab)?", r"(?:(?:\x{61}\x{62})){0,1}"),
        (r"[^\d\]-]", r"[^0-9\x{5d}\x{2d}]"),
        ("😀{2}", r"\x{1f600}{2,2}"),
        ("a|", r"(?:\x{61}|)"),
        (r"\.", r"\x{2e}"),
        ("a*?", r"\x{61}{0,}"),
    ],
)
def test_pattern_is_translated_for_java(text: str, java: str) -> None:
    assert patterns.parse(text).java == rf"\A(?:{java})\z"


def test_example_on_the_rules_page_loads() -> None:
    page = (CLONE / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(rules:\n.*?)```", page, re.DOTALL)
    assert example is not None
    fields = {
        "order_id": "string",
        "customer": {"type": "record", "name": "C", "fields": [{"name": "email", "type": ["null", "string"]}]},
        "country": "string",
        "post_code": ["null", "string"],
        "quantity": "int",
        "price": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
        "total": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2},
        "ordered_at": {"type": "long", "logicalType": "timestamp-millis"},
    }
    listed = [{"name": name, "type": kind} for name, kind in fields.items()]
    made = contract(
        text=HEAD.replace("rules:\n", example[1]), schema={"type": "record", "name": "Order", "fields": listed}
    )
    assert len(made.rules) >= 6
