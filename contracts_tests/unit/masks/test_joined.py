"""Views that join the table of another contract, some of whose fields are masked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.check.views import facts
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables.views import wanted
from avro_data_contracts.contracts.views import references
from avro_data_contracts.contracts.views.derived import Derived, derive
from contracts_tests.fixtures.viewed import catalog, files, header, logical

BOTH = ["cassandra", "postgres"]
TABLE = {"table": "of_view", "primary_key": ["id"]}
ALL_SINKS: dict[str, Any] = {"postgres": TABLE, "cassandra": {"keyspace": "shop", **TABLE}}
USERS = {
    "email": ["null", "string"],
    "age": "int",
    "born": logical("int", "date"),
    "tier": {"type": "enum", "name": "Tier", "symbols": ["A", "B"], "confluent:tags": ["PII"]},
    "home": {"type": "record", "name": "Home", "fields": [{"name": "city", "type": "string"}]},
}
#: The columns of its table, each with its type; None for a field that no reference has.
TRUE: dict[str, Any] = {"id": "string", **USERS, "tier": "string", "home": None}
JOIN = "FROM orders o JOIN u ON o.note = u.id"


def of(sql: str, *masks: dict[str, Any], stores: list[str] = BOTH, **head: Any) -> Contract:
    """The contract `orders` with a view of this SQL, which joins the table of `users`."""
    sinks = {kind: ALL_SINKS[kind] for kind in stores}
    reference = {"u": {"contract": "users", "store": "postgres"}}
    found = files({"v": header(sinks, reference=reference, **head) + sql})
    own = {"postgres": {"table": "users", "primary_key": ["id"]}}
    users = files({}, USERS, name="users", topic="users", sinks=own, masks=list(masks))
    renamed = {path: text.replace('"Order"', '"User"').replace('"Key"', '"UKey"') for path, text in users.items()}
    return catalog({**found, **renamed}).get("orders")


def derived(sql: str, *masks: dict[str, Any], **more: Any) -> Derived:
    contract = of(sql, *masks, **more)
    return derive(contract, contract.views[0])


def mask(field: str, how: Any, *stores: str) -> dict[str, Any]:
    return {"field": field, "mask": how, "stores": list(stores)}


@pytest.mark.parametrize(
    ("field", "how", "expected"),
    [
        ("email", "hash", ["null", "string"]),
        ("email", "redact", ["null", "string"]),
        ("age", "hash", "string"),
        ("age", "null", ["null", "int"]),
        ("born", "year", "int"),
        ("tier", "hash", "string"),
        ("home", "redact", "string"),
        ("home", "null", None),
        ("home.city", "hash", None),
        ("email", "drop", None),
        ("age", "drop", None),
    ],
)
def test_columns_are_those_of_the_table_that_is_read(field: str, how: str, expected: Any) -> None:
    found = derived(f"SELECT o.id {JOIN}", mask(field, how))
    assert found.problems == ()
    wanted = {**TRUE, field.partition(".")[0]: expected}
    assert types(found) == {name: kind for name, kind in wanted.items() if kind is not None}


def types(found: Derived) -> dict[str, Any]:
    """The columns of `u`, each with its type."""
    listed = json.loads(to_json(found.analysis.data["u"].schema))["fields"]
    return {one["name"]: one["type"] for one in listed}


def test_masks_in_another_store_leave_the_columns_of_postgres() -> None:
    found = derived(f"SELECT o.id, email {JOIN}", mask("age", "hash", "cassandra"), mask("born", "drop", "cassandra"))
    assert found.problems == ()
    assert types(found) == {name: kind for name, kind in TRUE.items() if kind is not None}


def test_mask_of_a_tag_counts() -> None:
    tag = {"tag": "PII", "mask": "redact"}
    (problem,) = derived(f"SELECT o.id, tier {JOIN}", {**tag, "stores": ["cassandra"]}).problems
    assert "tier is u.tier, which its contract masks" in problem.what
    assert derived(f"SELECT o.id, tier {JOIN}", tag).problems == ()


#: SELECT, the masks of users -> what is said of the column `x`.
REFUSED = [
    ("email AS x", [mask("email", "hash", "cassandra")], "x is u.email, which its contract masks in cassandra"),
    ("`u`.`EMAIL` AS x", [mask("email", "drop", "cassandra")], "x is u.email"),
    ("upper(email) AS x", [mask("email", "hash", "cassandra")], "x is computed from u.email, which its contract"),
    ("upper(email) AS x", [mask("email", "hash")], "x is computed from u.email, which is masked where it is read"),
    ("concat(email, o.note) AS x", [mask("email", "redact", "postgres")], "which is masked where it is read"),
    ("email IS NULL AS x", [mask("email", "hash", "cassandra")], "x is computed from u.email"),
    ("email AS x", [mask("email", "hash", "postgres"), mask("email", "redact", "cassandra")], "cassandra (redact)"),
    ("email AS x", [mask("email", "hash", "postgres"), mask("email", "drop", "cassandra")], "cassandra (drop)"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "masks", "words"), REFUSED)
def test_column_that_would_leak_is_refused_unless_released(column: str, masks: Any, words: str) -> None:
    (problem,) = derived(f"SELECT o.id,\n  {column}\n{JOIN}", *masks).problems
    assert (problem.rule, problem.line, problem.column_name) == ("VIEW_MASK", 3, "x")
    assert words in problem.what
    assert derived(f"SELECT o.id, {column} {JOIN}", *masks, releases=["x"]).problems == ()


@pytest.mark.parametrize(
    ("masks", "stores"),
    [
        ([mask("email", "hash")], BOTH),
        ([mask("email", "hash", "postgres")], BOTH),
        ([mask("email", "redact", "cassandra")], ["postgres"]),
    ],
)
def test_column_that_is_read_as_its_store_may_have_it_is_no_problem(masks: Any, stores: list[str]) -> None:
    found = derived(f"SELECT o.id, email {JOIN}", *masks, stores=stores)
    assert found.problems == ()
    for sink in found.sinks:
        table = wanted(found, sink)
        assert isinstance(table, Table)
        # What is read is masked already, and is not masked again.
        found_columns = [(one.name, one.type, one.mask) for one in table.columns]
        assert found_columns == [("id", "text", ""), ("email", "text", "")]


@pytest.mark.parametrize(
    ("how", "own", "is_fine"),
    [
        ("hash", "hash", True), ("hash", "drop", True), ("hash", "redact", True), ("hash", "null", True),
        ("redact", "hash", False), ("hash", {"truncate": 3}, False), ({"truncate": 2}, {"truncate": 2}, True),
        ({"truncate": 2}, {"truncate": 3}, False),
    ],
)  # fmt: skip
def test_mask_of_the_header_serves_if_it_tells_no_more(how: Any, own: Any, is_fine: bool) -> None:
    said = [{"field": "email", "stores": ["cassandra"], "mask": own}]
    found = derived(f"SELECT o.id, email {JOIN}", mask("email", how, "cassandra"), masks=said)
    assert (found.problems == ()) is is_fine
    others = derived(
        f"SELECT o.id, email {JOIN}", mask("email", how, "cassandra"), masks=[{**said[0], "stores": ["postgres"]}]
    )
    assert [one.rule for one in others.problems] == ["VIEW_MASK"]


def test_fix_is_a_mask_that_serves() -> None:
    sql, masks = f"SELECT o.id, email {JOIN}", mask("email", {"truncate": 2}, "cassandra")
    (problem,) = derived(sql, masks).problems
    assert "`masks: [{field: email, mask: {truncate: 2}}]`" in problem.fix
    assert derived(sql, masks, masks=[{"field": "email", "mask": {"truncate": 2}}]).problems == ()


def test_masked_key_cannot_be_joined_on() -> None:
    (problem,) = derived(f"SELECT o.id, age\n{JOIN}", mask("id", "hash")).problems
    assert (problem.rule, problem.line) == ("VIEW_MASK", 3)
    assert "u.id is masked where it is read (hash)" in problem.what
    assert derived(f"SELECT o.id, age {JOIN}", mask("id", "hash", "cassandra")).problems == ()


def test_masked_key_of_another_type_is_told_once() -> None:
    with_id = of(f"SELECT o.id, age {JOIN}".replace("o.note", "o.number"), mask("id", "hash"))
    (problem,) = derive(with_id, with_id.views[0]).problems
    assert problem.rule == "VIEW_MASK"


@pytest.mark.parametrize("where", ["email = 'a'", "age > 3 AND u.email IS NOT NULL", "upper(u.email) LIKE o.id"])
def test_where_does_not_look_at_masks(where: str) -> None:
    sql = f"SELECT o.id {JOIN} WHERE {where}"
    (problem,) = derived(sql, mask("email", "hash")).problems
    assert problem.rule == "VIEW_MASK"
    assert "u.email is masked where it is read (hash), and WHERE would look at its mask" in problem.what
    assert derived(sql, mask("email", "hash", "cassandra")).problems == ()


def test_refreshed_aggregation_is_refused_too() -> None:
    sql = f"SELECT u.email AS id, count(*) AS n {JOIN} GROUP BY u.email".replace("FROM orders", "FROM orders.latest")
    sql = sql.replace("u.email", "u.tier")
    head: dict[str, Any] = {"stores": ["postgres"], "refresh": "10 minutes"}
    assert derived(sql, **head).problems == ()
    assert derived(sql, mask("tier", "hash"), **head).problems == ()
    (problem,) = derived(sql.replace("count(*)", "max(email)"), mask("email", "hash"), **head).problems
    assert (problem.rule, "n is computed from u.email" in problem.what) == ("VIEW_MASK", True)


CHANGES = [
    ("SELECT o.id,\n  email\n", mask("email", "hash", "cassandra"), "which its contract masks in cassandra"),
    ("SELECT o.id,\n  email\n", mask("email", "drop"), "has no field 'email'"),
    ("SELECT o.id,\n  upper(email) AS email\n", mask("email", "hash"), "masked where it is read"),
    ("SELECT o.id,\n  o.number\n", mask("id", "hash"), "u.id is masked where it is read"),
]


@pytest.mark.parametrize(("sql", "masks", "words"), CHANGES)
def test_check_sees_that_a_mask_of_another_contract_breaks_the_view(sql: str, masks: Any, words: str) -> None:
    old, new = of(sql + JOIN), of(sql + JOIN, masks)
    (fact,) = (one for one in facts(old, new) if one.rule == "VIEW_BROKEN")
    assert fact.line in (3, 4)
    assert words in fact.message
    assert references.said(old.views[0]) != references.said(new.views[0])
    assert [one for one in facts(new, new) if one.rule != "VIEW_BROKEN"] == []


def test_check_reports_a_release_of_a_joined_column() -> None:
    sql, masks = f"SELECT o.id,\n  email\n{JOIN}", mask("email", "hash", "cassandra")
    old = of(sql.replace("email", "age"), masks)
    found = [(one.rule, one.path, one.line) for one in facts(old, of(sql, masks, releases=["email"]))]
    assert ("MASK_REMOVED", "views.v.email", 3) in found
