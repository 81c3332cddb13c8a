"""Consumers of values with unions, containers and shared types: no loss goes unseen, and paths fit those of lint."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro.nodes import Field
from avro_data_contracts.contracts.avro.paths import follow
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run
from avro_data_contracts.contracts.check.effects import Reads
from avro_data_contracts.contracts.check.run import Baseline, Checked
from avro_data_contracts.contracts.lint import run as lint
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.nested import changed, values

TODAY = date(2026, 6, 1)
PLACED: dict[str, Any] = {"type": "record", "name": "Placed", "fields": [{"name": "id", "type": "string"}]}
PAID = {**PLACED, "name": "Paid", "fields": [*PLACED["fields"], {"name": "by", "type": "string"}]}


def without_id(record: dict[str, Any]) -> dict[str, Any]:
    other = {"name": "sum", "type": "long", "default": 0}
    return {**record, "fields": [other, *(one for one in record["fields"] if one["name"] != "id")]}


def texts(value: Any, fields: list[str], level: str = "NONE", **types: Any) -> dict[str, str]:
    spec = {
        "topic": "events",
        "owner": "shop",
        "compatibility": level,
        "consumers": [{"name": "bi", "fields": fields}],
    }
    named = {f"types/{name}.avsc": json.dumps(one) for name, one in types.items()}
    return {"events/contract.yaml": json.dumps(spec), "events/value.avsc": json.dumps(value), **named}


def checked(old: dict[str, str], new: dict[str, str]) -> Checked:
    before = loading.from_files(old, "schemas").contracts["events"]
    return run.run(
        loading.from_files(new, "schemas"), Baseline("main", {"events": before}), {}, Texts.of(new, "schemas"), TODAY
    )


def lost(old: dict[str, str], new: dict[str, str]) -> bool:
    return "CONSUMER_LOSES_FIELD" in {one.rule for one in checked(old, new).findings}


def field_paths(schema: Any) -> list[str]:
    """Paths of all fields, with and without array marks."""
    found = [node.path for node in schema.walk() if isinstance(node, Field)]
    return [*found, *(one.replace("[]", "").replace("{}", "").removeprefix(".") for one in found)]


def of(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "E", "fields": [{"name": "of", "type": kind}]}


#: Where the two records are.
PLACES: dict[str, tuple[Any, str]] = {
    "root": ([PLACED, PAID], ""),
    "array at the root": ({"type": "array", "items": [PLACED, PAID]}, ""),
    "map at the root": ({"type": "map", "values": [PLACED, PAID]}, ""),
    "field": (of([PLACED, PAID]), "of"),
    "array": (of({"type": "array", "items": [PLACED, PAID]}), "of"),
}


@pytest.mark.parametrize(("value", "at"), PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("path", ["id", "(Placed).id", "(Placed)", ""])
def test_field_that_one_type_of_a_union_loses_is_lost(value: Any, at: str, path: str) -> None:
    dot = "" if not at or not path or path.startswith("(") else "."
    fields = [f"{at}{dot}{path}"]
    new = json.loads(json.dumps(value).replace(json.dumps(PLACED), json.dumps(without_id(PLACED))))
    assert lost(texts(value, fields), texts(new, fields))


@pytest.mark.parametrize(("value", "at"), PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("path", ["(Paid).id", "(Paid)", "by"])
def test_field_of_another_type_of_the_union_stays(value: Any, at: str, path: str) -> None:
    dot = "" if not at or path.startswith("(") else "."
    fields = [f"{at}{dot}{path}"]
    new = json.loads(json.dumps(value).replace(json.dumps(PLACED), json.dumps(without_id(PLACED))))
    assert not lost(texts(value, fields), texts(new, fields))


@pytest.mark.parametrize(
    ("fields", "loses"),
    [(["(Paid)"], True), (["(Paid).by"], True), (["id"], True), ([], True), (["(Placed)"], False)],
)
def test_type_that_leaves_a_union_is_lost(fields: list[str], loses: bool) -> None:
    assert lost(texts([PLACED, PAID], fields), texts([PLACED, "string"], fields)) is loses
    assert lost(texts([PLACED, PAID, "string"], fields), texts([PLACED, "string"], fields)) is loses


def test_consumer_that_gives_up_a_type_as_it_leaves_the_union_is_reported() -> None:
    old, new = texts([PLACED, PAID, "string"], ["(Paid).by"]), texts([PLACED, "string"], ["(Placed)"])
    [one] = [one for one in checked(old, new).findings if one.rule == "CONSUMER_REMOVED"]
    assert "(Paid).by" in one.message


def test_every_use_of_a_shared_type_loses_its_field() -> None:
    """The two uses are compared once, and each has a consumer."""
    uses = {"type": "record", "name": "E", "fields": [{"name": one, "type": "Placed"} for one in ("one", "other")]}
    for path in ("one.id", "other.id"):
        old = texts(uses, [path], placed=PLACED)
        found = checked(old, texts(uses, [path], placed=without_id(PLACED)))
        assert [(one.reads, one.lost) for one in found.verdicts[0].impact.consumers] == [(Reads.breaks, (path,))]


def test_every_use_of_a_shared_type_notices_another_meaning() -> None:
    uses = {"type": "record", "name": "E", "fields": [{"name": one, "type": "At"} for one in ("one", "other")]}
    kinds = [{"type": "long", "logicalType": f"timestamp-{unit}"} for unit in ("millis", "micros")]
    old, new = ({"type": "record", "name": "At", "fields": [{"name": "t", "type": one}]} for one in kinds)
    for path in ("one.t", "other.t"):
        found = checked(texts(uses, [path], at=old), texts(uses, [path], at=new))
        assert [(one.reads, one.touched) for one in found.verdicts[0].impact.consumers] == [(Reads.breaks, (path,))]


def test_lint_warns_of_a_path_that_only_another_type_of_the_union_has() -> None:
    """`check` reports the loss itself; what was never there stays an error."""

    def found(path: str) -> list[tuple[str, str]]:
        files = texts([without_id(PLACED), PAID], [path])
        every = lint.run(loading.from_files(files, "schemas"), Texts.of(files, "schemas"))
        return [(one.severity.value, one.fix) for one in every if one.rule == "CONSUMER_FIELD"]

    assert found("(Placed).id")[0][0] == "warning"
    assert found("(Paid).id") == []
    assert found("(Piad).id") == [("error", "write (Paid)")]
    assert found("(Paid).od") == [("error", "write (Paid).id")]


def lint_takes(old: dict[str, str], new: dict[str, str], path: str) -> bool:
    """Whether lint finds the path in one of the two states."""

    def complains(files: dict[str, str]) -> bool:
        value = json.loads(files["events/value.avsc"])
        named = texts(value, [path])
        every = lint.run(loading.from_files(named, "schemas"), Texts.of(named, "schemas"))
        return any(one.rule == "CONSUMER_FIELD" for one in every)

    return not complains(old) or not complains(new)


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    value = draw(values())
    return tuple(texts(one, [], "FULL") for one in (value, draw(changed(value))))  # type: ignore[return-value]


@given(changes())
@settings(max_examples=examples.of(100), deadline=None)
def test_lint_takes_every_path_that_check_prints(pair: tuple[dict[str, str], dict[str, str]]) -> None:
    found = checked(*pair)
    assume(found.verdicts)
    impact = found.verdicts[0].impact
    printed = {one.path for one in found.findings if one.subject} | {one.path for one in impact.changes}
    printed |= {path for who in impact.consumers for path in (*who.touched, *who.lost)}
    for path in printed:
        assert lint_takes(*pair, path), path


@given(changes(), st.data())
@settings(max_examples=examples.of(100), deadline=None)
def test_consumer_of_a_field_that_is_gone_loses_it(pair: tuple[dict[str, str], dict[str, str]], data: Any) -> None:
    old, new = (loading.from_files(one, "schemas").contracts["events"].value.schema for one in pair)
    path = data.draw(st.sampled_from(field_paths(old)))
    gone = set(follow(old, path).places) - set(follow(new, path).places)
    before, after = (texts(json.loads(one["events/value.avsc"]), [path]) for one in pair)
    if gone:
        assert lost(before, after)
