"""Every lint rule with its own examples, rules switched off, and the page that documents them."""

from __future__ import annotations

import json

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import LintLevel
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint import page as lint_page
from avro_data_contracts.contracts.lint import run
from avro_data_contracts.contracts.lint.names import personal_words
from avro_data_contracts.contracts.lint.rules import RULES
from avro_data_contracts.contracts.lint.scope import Example
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.lint_files import files

#: As contracts.toml asks for the rules that find nothing otherwise.
ASKED = {rule.id: LintLevel(rule.severity.value) for rule in RULES if rule.asked}


def found(texts: dict[str, str], levels: dict[str, LintLevel] | None = None) -> tuple[Finding, ...]:
    return run.run(loading.from_files(texts, "schemas"), Texts.of(texts, "schemas"), levels=levels or {})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_bad_example_breaks_its_rule_with_position(rule) -> None:
    hits = [one for one in found(files(rule.bad), ASKED) if one.rule == rule.id]
    assert hits
    for one in hits:
        assert one.severity == rule.severity
        assert one.line > 0
        assert one.column > 0
        assert one.message
        assert one.fix


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_good_example_breaks_no_rule(rule) -> None:
    assert found(files(rule.good), ASKED if rule.asked else None) == ()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.asked], ids=lambda rule: rule.id)
def test_rule_that_waits_to_be_asked_finds_nothing_before(rule) -> None:
    assert found(files(rule.bad)) == ()


def test_contracts_of_this_repository_pass_lint() -> None:
    texts = dict(read_folder(CLONE / "schemas").texts)
    assert found(texts) == ()


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_finding_has_exact_position() -> None:
    (one,) = found(files(Example("field", '{"name": "total", "type": "long"}')))
    assert (one.rule, one.file, one.line, one.column) == ("FIELD_DOC", "schemas/orders/value.avsc", 3, 10)
    assert (one.path, one.subject, one.contract) == ("total", "orders-value", "orders")


def test_rule_can_be_switched_off_with_a_reason() -> None:
    bad = Example("field", '{"name": "total", "type": "long"}')
    assert found(files(bad, lint={"FIELD_DOC": "described elsewhere"})) == ()


def test_rule_switched_off_needlessly_is_a_warning() -> None:
    texts = files(lint={"FIELD_DOC": "described elsewhere"})
    (one,) = found(texts)
    assert (one.rule, one.severity, one.path) == ("LINT_UNUSED", "warning", "lint.FIELD_DOC")
    assert "FIELD_DOC" in texts["orders/contract.yaml"].splitlines()[one.line - 1]


def test_switching_off_unknown_rule_is_refused_with_its_line() -> None:
    texts = files(lint={"FIELD_DOCS": "described elsewhere"})
    (one,) = found(texts)
    assert (one.rule, one.severity) == ("UNREADABLE", "error")
    assert "FIELD_DOCS" in texts["orders/contract.yaml"].splitlines()[one.line - 1]
    assert "FIELD_DOC," in one.fix


def test_switching_off_a_rule_without_reason_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="FIELD_DOC"):
        found(files(lint={"FIELD_DOC": ""}))


def test_shared_type_is_reported_once_in_its_own_file() -> None:
    texts = files(Example("field", '{"name": "size", "type": "com.example.Size", "doc": "Its size."}'), sinks={})
    texts["types/size.avsc"] = '{"type": "fixed", "name": "Size", "namespace": "com.example", "size": 2}'
    (one,) = found(texts)
    assert (one.rule, one.file, one.subject) == ("TYPE_DOC", "schemas/types/size.avsc", "com.example.Size")
    other = {path.replace("orders/", "returns/"): text for path, text in texts.items()}
    other["returns/contract.yaml"] = texts["orders/contract.yaml"].replace("topic: orders", "topic: returns")
    assert found({**texts, **other}) == (one,)


@pytest.mark.parametrize(
    "default",
    ['["RED", "BLUE"]', '["BLUE"]'],
)
def test_unknown_symbol_inside_a_default_is_reported(default: str) -> None:
    text = (
        '{"name": "colours", "doc": "Its colours.", "type": {"type": "array", "items": {"type": "enum", "name": '
        f'"Colour", "doc": "May grow.", "symbols": ["RED"], "default": "RED"}}}}, "default": {default}}}'
    )
    assert [one.rule for one in found(files(Example("field", text), sinks={}))] == ["DEFAULT_SYMBOL"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5}, "plain bytes"),
        ({"type": "bytes", "logicalType": "decimal"}, "plain bytes"),
        ({"type": "string", "logicalType": "decimal", "precision": 4}, "on string is ignored"),
        ({"type": "string", "logicalType": "timestamp-millis"}, "on string is ignored"),
        ({"type": "long", "logicalType": "timestamp-milis"}, "does not exist"),
    ],
)
def test_logical_type_that_avro_ignores_is_reported(kind: dict, told: str) -> None:
    text = json.dumps({"name": "total", "doc": "Total.", "type": kind})
    (one,) = found(files(Example("field", text)))
    assert one.rule == "LOGICAL_TYPE"
    assert told in one.message
    assert one.path == "total"


def test_mutual_recursion_is_reported() -> None:
    text = (
        '{"name": "buyer", "doc": "Buyer.", "type": {"type": "record", "name": "Buyer", "doc": "B.", "fields": ['
        '{"name": "last", "doc": "L.", "type": ["null", "Order"], "default": null}]}}'
    )
    rules = {one.rule for one in found(files(Example("field", text)))}
    assert rules == {"RECURSIVE_TYPE"}


@pytest.mark.parametrize("name", ["email", "user_email", "firstName", "date_of_birth", "ip_address", "SSN", "iban"])
def test_personal_words_finds_personal_names(name: str) -> None:
    assert personal_words(name)


@pytest.mark.parametrize("name", ["id", "name", "order_total", "created_at", "emailed", "first", "card_count"])
def test_personal_words_ignores_other_names(name: str) -> None:
    assert not personal_words(name)


def test_boolean_about_personal_data_is_not_reported() -> None:
    assert found(files(Example("field", '{"name": "email_sent", "type": "boolean", "doc": "Sent."}'))) == ()


def test_lint_handles_200_levels() -> None:
    kind: object = "string"
    for _ in range(200):
        kind = {"type": "array", "items": kind}
    text = json.dumps({"name": "deep", "doc": "Deep.", "type": kind, "default": []})
    assert found(files(Example("field", text), sinks={})) == ()


def test_page_is_current() -> None:
    page = (CLONE / "docs" / "reference" / "lint.md").read_text(encoding="utf-8")
    assert page == lint_page.page(), "run: python -m contracts.lint.page > docs/reference/lint.md"


OF_EMAIL = '{"name": "email", "type": "string", "doc": "For receipts.", "confluent:tags": ["PII"]}'
OF_VIEW = "{postgres: {table: of_view, primary_key: [id]}}"
MASK_ALL = [{"tag": "PII", "mask": "hash"}]
#: SELECT, keys of the header, masks of the contract -> whether the table of the view has personal data.
VIEWS_OF_EMAIL = [
    ("email", {}, [], True),
    ("email", {"masks": [{"field": "email", "mask": "hash"}]}, [], False),
    ("email AS mail", {"masks": [{"field": "mail", "mask": "drop"}]}, [], False),
    ("email, email AS mail", {"masks": [{"field": "mail", "mask": "drop"}]}, [], True),
    ("upper(email) AS mail", {}, [], True),
    ("upper(email) AS mail", {"masks": [{"field": "mail", "mask": "redact"}]}, [], False),
    ("length(email) AS size", {"releases": ["size"]}, [], False),
    ("email", {}, MASK_ALL, False),
    ("email AS mail", {}, MASK_ALL, False),
    ("email", {"releases": ["email"]}, MASK_ALL, True),
    ("length(email) AS size", {"releases": ["size"]}, MASK_ALL, False),
    ("email", {}, [{"tag": "PII", "mask": "hash", "stores": ["cassandra"]}], True),
]


@pytest.mark.parametrize(("select", "header", "masks", "is_open"), VIEWS_OF_EMAIL)
def test_personal_data_in_the_table_of_a_view_is_told_unless_its_masks_hold_it(
    select, header, masks, is_open
) -> None:
    texts = files(Example("field", OF_EMAIL), masks=masks)
    more = "".join(f", {key}: {json.dumps(value)}" for key, value in header.items())
    texts["orders/views/v.sql"] = f"-- {{sinks: {OF_VIEW}{more}}}\nSELECT id, {select} FROM orders"
    hits = found(texts, ASKED)
    assert [one for one in hits if one.rule.startswith("VIEW")] == []
    assert any("of_view" in one.message for one in hits if one.rule == "PII_UNMASKED") is is_open
