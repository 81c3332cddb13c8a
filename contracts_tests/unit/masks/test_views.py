"""Views of masked fields: what they inherit, and what they may not compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.check.views import facts
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables.views import wanted
from avro_data_contracts.contracts.views.derived import Derived, derive
from contracts_tests.fixtures.changes import Files

PERSON = {"type": "record", "name": "Person", "fields": [
    {"name": "name", "type": "string"}, {"name": "city", "type": ["null", "string"]},
]}  # fmt: skip
HASHED = [{"tag": "PII", "mask": "hash"}]


def changed(sql: str, said: Sequence[dict[str, Any]] = (), **header: Any) -> Contract:
    files = Files()
    files.spec["masks"] = list(said)
    files.add("buyer", ["null", PERSON], default=None)
    files.add("people", {"type": "array", "items": "Person"}, default=[])
    head = {"sinks": {"postgres": {"table": "seen", "primary_key": ["id"]}}, **header}
    texts = {**files.texts, "orders/views/seen.sql": f"-- {head!r}\n{sql}"}
    return loading.from_files(texts, "schemas").get("orders")


def derived(sql: str, said: list[dict[str, Any]], **header: Any) -> Derived:
    contract = changed(sql, said, **header)
    return derive(contract, contract.views[0])


def masks(found: Derived) -> dict[str, tuple[str, str | None]]:
    (sink,) = found.sinks
    table = wanted(found, sink)
    assert isinstance(table, Table), table
    return {one.name: (one.type, one.mask) for one in table.columns if one.mask}


INHERITED = [
    ("SELECT id, note FROM orders", HASHED, {"note": ("text", "hash")}),
    ("SELECT id, o.note AS words FROM orders o", HASHED, {"words": ("text", "hash")}),
    ("SELECT id, `note` AS words FROM orders WHERE note IS NOT NULL", HASHED, {"words": ("text", "hash")}),
    ("SELECT id, count FROM orders", [{"field": "count", "mask": "hash"}], {"count": ("text", "hash")}),
    ("SELECT id, buyer FROM orders", [{"field": "buyer.name", "mask": "hash"}], {"buyer": ("jsonb", "name: hash")}),
    ("SELECT id, buyer.name AS who FROM orders", [{"field": "buyer", "mask": "redact"}], {"who": ("text", "redact")}),
    ("SELECT id, people FROM orders", [{"field": "people.name", "mask": "drop"}],
     {"people": ("jsonb", "[] name: drop")}),
    ("SELECT id, state FROM orders", HASHED, {}),
    ("SELECT id, note FROM orders", [{"tag": "PII", "stores": ["cassandra"], "mask": "hash"}], {}),
    ("SELECT id, upper(note) AS note FROM orders", [{"tag": "PII", "stores": ["cassandra"], "mask": "hash"}], {}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "said", "expected"), INHERITED)
def test_field_that_passes_unchanged_has_its_mask(sql, said, expected) -> None:
    found = derived(sql, said)
    assert found.problems == ()
    assert masks(found) == expected


def test_dropped_field_has_no_column_in_a_view() -> None:
    found = derived("SELECT id, note FROM orders", [{"field": "note", "mask": "drop"}])
    table = wanted(found, found.sinks[0])
    assert isinstance(table, Table)
    assert [one.name for one in table.columns] == ["id"]


COMPUTED = [
    ("upper(note)", HASHED, "note"),
    ("note IS NULL", HASHED, "note"),
    ("concat(id, note)", HASHED, "note"),
    ("coalesce(note, '')", HASHED, "note"),
    ("CAST(note AS STRING)", HASHED, "note"),
    ("buyer.name || ''", [{"field": "buyer", "mask": "redact"}], "buyer"),
    ("size(people)", [{"field": "people.name", "mask": "hash"}], "people[].name"),
]


@pytest.mark.parametrize(("sql", "said", "path"), COMPUTED)
def test_column_computed_from_a_masked_field_is_refused_unless_released(sql, said, path) -> None:
    (problem,) = derived(f"SELECT id,\n  {sql} AS made\nFROM orders", said).problems
    assert (problem.rule, problem.line, problem.column_name) == ("VIEW_MASK", 3, "made")
    assert f"made is computed from {path}, which is masked in postgres" in problem.what
    released = derived(f"SELECT id, {sql} AS made FROM orders", said, releases=["made"])
    assert released.problems == ()
    assert masks(released) == {}


def test_released_field_is_not_masked() -> None:
    assert masks(derived("SELECT id, note FROM orders", HASHED, releases=["note"])) == {}


def test_release_of_an_unknown_column_is_refused() -> None:
    (problem,) = derived("SELECT id FROM orders", HASHED, releases=["note"]).problems
    assert "releases names 'note', which is not a column" in problem.what


def test_header_masks_columns_of_its_own() -> None:
    said = [{"field": "upper_note", "mask": {"truncate": 2}}, {"field": "buyer.city", "mask": "null"}]
    found = derived("SELECT id, upper(note) AS upper_note, buyer FROM orders", [], masks=said)
    assert found.problems == ()
    assert masks(found) == {"upper_note": ("text", "truncate 2"), "buyer": ("jsonb", "city: null")}


UNFIT = [
    ([{"field": "other", "mask": "null"}], [], "no such field"),
    ([{"field": "count", "mask": {"truncate": 2}}], [], "count"),
    ([{"field": "id", "mask": "redact"}], [], "redact makes rows one"),
    ([{"field": "note", "mask": "redact"}], HASHED, "the same field"),
    ([{"field": "note", "mask": "redact"}, {"field": "note", "mask": "null"}], [], "the same field"),
]


def test_mask_of_a_header_is_checked_in_a_view_that_is_refreshed() -> None:
    sql = "SELECT state, max(note) AS note, count(*) AS n FROM orders.latest GROUP BY state"
    head = {"refresh": "10 minutes", "sinks": {"postgres": {"table": "seen", "primary_key": ["state"]}}}
    for own, words in (
        ([{"field": "other", "mask": "hash"}], "no such field"),
        ([{"field": "n", "mask": {"truncate": 2}}], "n"),
        ([{"field": "note", "mask": "hash", "stores": ["cassandra"]}], "no table in cassandra"),
    ):
        found = derived(sql, [], masks=own, **head)
        assert any(one.rule == "VIEW_MASK" and words in one.what for one in found.problems), (own, found.problems)
    assert masks(derived(sql, [], masks=[{"field": "note", "mask": "hash"}], **head)) == {"note": ("text", "hash")}
    assert "releases names 'nope'" in derived(sql, [], releases=["nope"], **head).problems[0].what


@pytest.mark.parametrize(("own", "of_contract", "words"), UNFIT)
def test_mask_of_a_header_that_does_not_fit_is_a_problem(own, of_contract, words) -> None:
    found = derived("SELECT id, note, count FROM orders", of_contract, masks=own)
    assert found.contract is None
    assert any(one.rule == "VIEW_MASK" and words in one.what for one in found.problems), found.problems


def test_mask_of_a_header_by_tag_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a column of a view has no tags"):
        derived("SELECT id, note FROM orders", [], masks=HASHED)


def test_mask_that_a_header_no_longer_has_is_told_at_its_column() -> None:
    sql, said = "SELECT id,\n  note FROM orders", [{"field": "note", "mask": "hash"}]
    before, after = (changed(sql, masks=one) for one in (said, []))
    (fact,) = (one for one in facts(before, after) if one.rule == "MASK_REMOVED")
    parts = [{"field": "buyer.name", "mask": "null"}, {"field": "buyer.city", "mask": "null"}]
    whole, part = (changed("SELECT id, buyer FROM orders", masks=one) for one in (parts, parts[:1]))
    (city,) = (one.message for one in facts(whole, part) if one.rule == "MASK_REMOVED")
    assert "no longer masks buyer.city in postgres" in city
    assert (fact.line, "no longer masks note" in fact.message) == (3, True)
    assert [one.rule for one in facts(after, before) if one.rule == "MASK_REMOVED"] == []


def test_masked_key_of_a_view_can_only_be_hashed() -> None:
    (problem,) = derived(
        "SELECT id, state FROM orders",
        [{"field": "state", "mask": "redact"}],
        sinks={"postgres": {"table": "seen", "primary_key": ["state"]}},
    ).problems
    assert problem.rule == "VIEW_MASK"
    assert "redact makes rows one" in problem.what
    hashed = derived(
        "SELECT id, state FROM orders",
        [{"field": "state", "mask": "hash"}],
        sinks={"postgres": {"table": "seen", "primary_key": ["state"]}},
    )
    assert masks(hashed) == {"state": ("text", "hash")}


def test_grouped_column_has_the_mask_of_its_field() -> None:
    found = derived(
        "SELECT window.start AS hour, note, count(*) AS n FROM orders "
        "WHERE note IS NOT NULL GROUP BY window(at, '1 hour'), note",
        [{"field": "count", "mask": "redact"}],
        sinks={"postgres": {"table": "seen", "primary_key": ["hour", "n"]}},
        time="at",
        lateness="1 hour",
    )
    assert {one.rule for one in found.problems} == {"VIEW_KEY"}  # n is no group
    windows = derived(
        "SELECT window.start AS hour, state, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), state",
        [{"field": "state", "mask": "hash"}],
        sinks={"postgres": {"table": "seen", "primary_key": ["hour", "state"]}},
        time="at",
        lateness="1 hour",
    )
    assert masks(windows) == {"state": ("text", "hash")}
    (problem,) = derived(
        "SELECT window.start AS hour, state, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), state",
        [{"field": "at", "mask": "year"}],
        sinks={"postgres": {"table": "seen", "primary_key": ["hour", "state"]}},
        time="at",
        lateness="1 hour",
    ).problems
    assert "hour is computed from at, which is masked in postgres (year)" in problem.what


def test_check_reports_a_new_release() -> None:
    sql = "SELECT id, upper(note) AS note FROM orders"
    contracts = []
    for more in ({"sql": "SELECT id FROM orders"}, {"sql": sql, "releases": ["note"]}):
        files = Files()
        files.spec["masks"] = HASHED
        said = {"sinks": {"postgres": {"table": "seen", "primary_key": ["id"]}}, "releases": more.get("releases", [])}
        texts = {**files.texts, "orders/views/seen.sql": f"-- {said!r}\n{more['sql']}"}
        contracts.append(loading.from_files(texts, "schemas").get("orders"))
    found = [(one.rule, one.path, one.line) for one in facts(*contracts) if one.rule == "MASK_REMOVED"]
    assert found == [("MASK_REMOVED", "views.seen.note", 2)]
    assert [one.rule for one in facts(contracts[1], contracts[1]) if one.rule == "MASK_REMOVED"] == []


@pytest.mark.parametrize(("of_contract", "own"), [(["redact"], []), ([], ["redact"])])
def test_only_a_mask_of_the_contract_is_called_inherited(of_contract: list[str], own: list[str]) -> None:
    key = {"postgres": {"table": "seen", "primary_key": ["state"]}}
    said, header = ([{"field": "state", "mask": one} for one in some] for some in (of_contract, own))
    found = derived("SELECT id, state FROM orders", said, sinks=key, **({"masks": header} if header else {}))
    words = [one.what for one in found.problems if "redact makes rows one" in one.what]
    assert words
    assert any("the view inherits the mask" in one for one in words) is bool(of_contract)
