"""Classes that `contracts export python` writes: mypy accepts them, and every record survives them."""

from __future__ import annotations

import datetime as dt
import importlib.util
import io
import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import fastavro
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.export import python, python_names
from avro_data_contracts.contracts.export.python_types import Style
from contracts_tests.fixtures import examples, nested, ruled, type_cases
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_contracts
from contracts_tests.fixtures.sampled import written
from contracts_tests.fixtures.type_cases import decimal, fixed, logical

HEAD = "topic: t\nowner: o\ncompatibility: NONE\n"
CLASSES = (Style.dataclass, Style.pydantic)
_numbers = itertools.count()


def contract(value: Any, key: Any = None) -> Contract:
    files = {"t/contract.yaml": HEAD + ("key: key.avsc\n" if key else ""), "t/value.avsc": json.dumps(value)}
    if key:
        files["t/key.avsc"] = json.dumps(key)
    return loading.from_files(files, "schemas").get("t")


def module(of: Contract, style: Style) -> ModuleType:
    """The generated module, imported."""
    name = f"generated_{next(_numbers)}"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # pydantic looks names up there
    exec(compile(python.of(of, style), name, "exec", dont_inherit=True), made.__dict__)
    return made


def value_class(of: Contract, made: ModuleType) -> Any:
    return getattr(made, python.classes_of(of)[of.value.record.fullname])


def decoded(of: Contract, body: bytes) -> Any:
    schema = fastavro.parse_schema(json.loads(of.value.schema_text))
    return fastavro.schemaless_reader(io.BytesIO(body), schema, schema, return_named_type=True)


def field(name: str, kind: Any, default: Any = ..., **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **({} if default is ... else {"default": default}), **more}


def record(name: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


COLOUR = {
    "type": "enum",
    "name": "Colour",
    "symbols": ["RED", "None", "title", "count", "mro", "name", "_x_", "__y", "x"],
}
#: Names that Python, dataclasses, pydantic or the generated module itself use.
# fmt: off
HOSTILE = [
    "class", "None", "True", "from", "self", "cls", "int", "str", "bytes", "list", "dict", "float",
    "bool", "tuple", "object", "type", "property", "isinstance", "field", "date", "datetime", "uuid",
    "decimal", "id", "_", "__x", "___x", "_y", "__init__", "_t", "_dt", "copy", "json", "schema",
    "dict_", "model_config", "model_fields", "to_record", "from_record", "given", "record", "value",
    "Colour", "Inner", "validate", "construct", "match", "case", "async", "await", "fields",
    "classmethod", "dataclass", "item", "key",
]
# fmt: on
HOSTILE_RECORD = record(
    "Hostile",
    *(field(name, "string") for name in HOSTILE),
    field("colour", COLOUR),
    field("inner", record("Inner", field("class", "Colour"), field("Inner_", ["null", "Inner"], None))),
)
#: Types and defaults that are easily wrong in Python.
DEFAULTS: dict[str, tuple[Any, Any, Any]] = {
    "none": (["null", "int"], None, None),
    "text": ("string", "a\"\\\n'é", "a\"\\\n'é"),
    "whole": ("long", -5, -5),
    "half": ("double", 0.5, 0.5),
    "exact": ("float", 1, 1.0),
    "nan": ("double", "Infinity", float("inf")),
    "yes": ("boolean", True, True),
    "raw": ("bytes", "\u0000ÿ", b"\x00\xff"),
    "four": (fixed("Four", 4), "abcd", b"abcd"),
    "money": (decimal(4, 2), "\u0004â", Decimal("12.50")),
    "day": (logical("int", "date"), -1, dt.date(1969, 12, 31)),
    "clock": (logical("int", "time-millis"), 1, dt.time(0, 0, 0, 1000)),
    "moment": (logical("long", "timestamp-micros"), 1, dt.datetime(1970, 1, 1, 0, 0, 0, 1, dt.UTC)),
    "wall": (logical("long", "local-timestamp-millis"), 1, dt.datetime(1970, 1, 1, 0, 0, 0, 1000)),
    "ident": (logical("string", "uuid"), str(uuid.UUID(int=5)), uuid.UUID(int=5)),
    "colour": ({"type": "enum", "name": "Tint", "symbols": ["RED", "BLUE"]}, "BLUE", "BLUE"),
    "numbers": ({"type": "array", "items": "int"}, [1, 2], [1, 2]),
    "empty": ({"type": "array", "items": "int"}, [], []),
    "marks": ({"type": "map", "values": {"type": "array", "items": "Tint"}}, {"a'b": ["RED"]}, {"a'b": ["RED"]}),
    "point": (
        record("Point", field("x", "int", 3), field("y", ["null", "int"], None)),
        {"x": 1},
        {"x": 1, "y": None},
    ),
    "either": (["string", "Tint"], "BLUE", ("string", "BLUE")),
    "several": ([{"type": "map", "values": "int"}, "null"], {"a": 1}, {"a": 1}),
}
#: Unions whose types look alike in Python.
ALIKE = [
    ["null", "string", {"type": "enum", "name": "Size", "symbols": ["S", "L"]}],
    ["bytes", fixed("Five", 5), fixed("Six", 6)],
    [logical("int", "time-millis"), logical("long", "time-micros")],
    [logical("int", "date"), logical("long", "timestamp-millis"), "string"],
    [decimal(4, 2), fixed("Cents", 2, logicalType="decimal", precision=4, scale=2)],
    [record("A", field("x", "int")), record("B", field("x", "int")), {"type": "map", "values": "int"}],
    ["int", "long", "float", "double", "boolean"],
    [{"type": "array", "items": ["null", "A"]}, "null", "B"],
    [logical("string", "uuid"), fixed("Id", 16, logicalType="uuid")],
]
ALIKE_RECORD = record("Alike", *(field(f"f{number}", kind) for number, kind in enumerate(ALIKE)))
TREE = record(
    "Tree",
    field("left", ["null", "Tree"]),
    field("all", {"type": "map", "values": {"type": "array", "items": "Tree"}}),
)
SAME_NAMES = record(
    "a.Same", field("inner", record("b.Same", field("inner", ["null", record("c.d.Same")]))), field("again", "b.Same")
)
DEFAULT_RECORD = record("Defaulted", *(field(name, kind, default) for name, (kind, default, _) in DEFAULTS.items()))
ALIASED = record(
    "Aliased", field("class", "int", 5, aliases=["kind", "sort"]), field("new", "string", aliases=["old"])
)
DOCUMENTED = record("Documented", field("a", "int", doc='ends with a quote "'), doc='"""\\ \n\u202e' + "long " * 60)
EVERY_TYPE = record("Every", *(field(f"f{number}", case.kind) for number, case in enumerate(type_cases.cases())))
SCHEMAS = {
    "hostile": HOSTILE_RECORD,
    "defaults": DEFAULT_RECORD,
    "alike": ALIKE_RECORD,
    "tree": TREE,
    "same_names": SAME_NAMES,
    "aliased": ALIASED,
    "documented": DOCUMENTED,
    "every_type": EVERY_TYPE,
    "empty": record("Empty"),
    "union": ["null", record("Some", field("a", "int")), "string"],
    "enum": COLOUR,
    "list": {"type": "array", "items": ["null", record("Item", field("a", "int"))]},
}


def contracts_to_check() -> Iterator[tuple[str, Contract]]:
    yield from ((name, contract(value)) for name, value in SCHEMAS.items())
    yield from loading.load(CLONE / "schemas").contracts.items()
    for file in sorted((CLONE / "contracts_tests" / "evolution").glob("*/current.avsc")):
        try:
            yield f"evolution_{file.parent.name}", contract(json.loads(file.read_text()))
        except (ContractsError, ValueError):  # cases of schemas that are refused
            continue


def test_mypy_accepts_all_that_is_written(tmp_path: Path) -> None:
    count = 0
    for (name, one), style in itertools.product(list(contracts_to_check()), Style):
        (tmp_path / f"{name}_{style.value}.py").write_text(python.of(one, style))
        count += 1
    assert count > 100
    strict = (
        "--strict",
        "--warn-unreachable",
        "--python-version",
        "3.11",
        "--config-file",
        "",
        "--cache-dir",
        "/dev/null",
    )
    done = subprocess.run([sys.executable, "-m", "mypy", *strict, "."], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_written_can_be_imported(name: str, style: Style) -> None:
    module(contract(SCHEMAS[name]), style)


def survives(of: Contract, records: list[Any], style: Style) -> None:
    made = value_class(of, module(of, style))
    for one in records:
        thing = made.from_record(one)
        assert type(thing) is made
        # NaN differs from itself; Python's UUIDs are in lower case, as are those that fastavro decodes.
        assert repr(decoded(of, written(of, thing.to_record()))) == repr(decoded(of, written(of, one)))


@pytest.mark.parametrize("style", CLASSES)
def test_records_of_the_type_tests_survive(style: Style) -> None:
    cases = list(type_cases.cases())
    records = [
        {f"f{at}": case.values[number % len(case.values)].avro for at, case in enumerate(cases)}
        for number in range(max(len(case.values) for case in cases))
    ]
    of = contract(EVERY_TYPE)
    survives(of, [decoded(of, written(of, one)) for one in records], style)


@pytest.mark.parametrize("style", CLASSES)
@pytest.mark.parametrize(
    "name", [name for name, value in SCHEMAS.items() if isinstance(value, dict) and value["type"] == "record"]
)
def test_samples_survive(name: str, style: Style) -> None:
    of = contract(SCHEMAS[name])
    survives(of, list(itertools.islice(sample.records(of), 60)), style)


@settings(max_examples=examples.of(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(ruled.contracts(), st.sampled_from(CLASSES))
def test_samples_of_invented_contracts_survive(of: Contract, style: Style) -> None:
    ruleless = loading.from_files({"t/contract.yaml": HEAD, "t/value.avsc": of.value.text}, "schemas").get("t")
    survives(ruleless, list(itertools.islice(sample.records(ruleless), 5)), style)


@settings(max_examples=examples.of(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(nested.values(), st.sampled_from(CLASSES))
def test_samples_of_nested_schemas_survive(value: Any, style: Style) -> None:
    of = (
        contract(value)
        if isinstance(value, dict) and value["type"] == "record"
        else contract(record("Outer", field("it", value)))
    )
    survives(of, list(itertools.islice(sample.records(of), 5)), style)


@pytest.mark.parametrize("style", CLASSES)
def test_defaults_are_those_of_the_producer(style: Style) -> None:
    of = contract(DEFAULT_RECORD)
    made = value_class(of, module(of, style))
    found = made().to_record()
    assert written(of, found) == written(of, {})
    for name, (_, _, expected) in DEFAULTS.items():
        assert found[name] == expected
    assert made().empty is not made().empty
    assert made().point is not made().point


@pytest.mark.parametrize("style", CLASSES)
def test_fields_are_found_by_their_aliases(style: Style) -> None:
    of = contract(ALIASED)
    made = value_class(of, module(of, style))
    assert made.from_record({"sort": 1, "old": "x"}).to_record() == {"class": 1, "new": "x"}
    assert made(new="x").class_ == 5
    with pytest.raises(ValueError, match="no field other"):
        made.from_record({"class": 1, "new": "x", "other": 2})


def test_pydantic_takes_json_names_and_refuses_other_types() -> None:
    of = contract(ALIASED)
    made = value_class(of, module(of, Style.pydantic))
    assert made.model_validate({"class": 7, "old": "x"}).class_ == 7
    assert made(class_=7, new="x").model_dump(by_alias=True) == {"class": 7, "new": "x"}
    for bad in ({"class": "7", "new": "x"}, {"class": 7, "new": 1}, {"class": 7, "new": "x", "more": 1}):
        with pytest.raises(pydantic.ValidationError):
            made.model_validate(bad)


def test_names_of_pydantic_are_known() -> None:
    public = {name for name in dir(pydantic.BaseModel) if not name.startswith(("_", "model_"))}
    assert public <= python_names.OF_PYDANTIC


def test_two_types_of_one_name_get_their_namespace() -> None:
    text = python.of(contract(SAME_NAMES), Style.dataclass)
    assert {"class ASame:", "class BSame:", "class CDSame:"} <= set(text.splitlines())


def test_key_and_value_share_a_type() -> None:
    shared = record("Shared", field("a", "int"))
    of = contract(record("Value", field("id", shared)), record("Key", field("id", shared)))
    text = python.of(of, Style.dataclass)
    assert text.count("class Shared:") == 1
    assert text.index("class Value:") < text.index("class Key:")


def test_key_and_value_with_different_types_of_one_name_are_refused() -> None:
    of = contract(record("One", field("id", "int")), record("One", field("id", "string")))
    with pytest.raises(ContractsError, match="different types with the name One") as caught:
        python.of(of, Style.dataclass)
    assert caught.value.fix


def test_check_compares_the_file(tmp_path: Path) -> None:
    arguments = ("--schemas", str(CLONE / "schemas"), "export", "python", "orders_placed")
    printed = run_contracts(*arguments)
    file = tmp_path / "orders.py"
    file.write_text(printed.stdout)
    assert run_contracts(*arguments, "--check", str(file)) == Done(0, "", "")
    other = run_contracts(*arguments, "--style", "pydantic", "--check", str(file))
    assert other.returncode == 1
    assert f"fix: run: contracts export python orders_placed --style pydantic > {file}" in other.stderr
    missing = run_contracts(*arguments, "--check", str(tmp_path / "none.py"))
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr
