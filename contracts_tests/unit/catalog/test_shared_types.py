"""Types in files of their own: found at any depth, in any file, whatever comments there are; and told when faulty."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Mapping
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import outline, parsing
from avro_data_contracts.contracts.avro.nodes import Reference
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.catalog.shared_types import SharedTypes, schema_of
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.export import odcs, yaml_out
from avro_data_contracts.contracts.lint import run as lint
from avro_data_contracts.contracts.tables import migrations
from contracts_tests.fixtures.contract_files import CONTRACT

KEYED = CONTRACT.replace("value: value.avsc", "value: value.avsc\nkey: key.avsc")


def record(name: str, space: str | None = "shop.types", **fields: Any) -> dict[str, Any]:
    listed = [{"name": field, "type": kind, "doc": f"The {field}."} for field, kind in fields.items()]
    made = {"type": "record", "name": name, "doc": "A thing.", "fields": listed}
    return made if space is None else {**made, "namespace": space}


def files(value: Any, key: Any = None, **types: Any) -> dict[str, str]:
    key = record("Key", "shop", id="string") if key is None else key
    texts = {"orders/value.avsc": value, "orders/key.avsc": key}
    texts |= {f"types/{name}.avsc": kind for name, kind in types.items()}
    return {
        "orders/contract.yaml": KEYED,
        **{path: one if isinstance(one, str) else json.dumps(one, indent=1) for path, one in texts.items()},
    }


def load(texts: Mapping[str, str]) -> Contract:
    return loading.from_files(texts, "schemas").get("orders")


def rules(texts: Mapping[str, str]) -> set[tuple[str, str]]:
    loaded = loading.read(Folder(texts), "schemas")
    found = lint.everything(loaded, Texts.of(texts, "schemas"))
    return {(one.rule, one.file) for one in found if one.rule in ("UNREADABLE", "TYPE_UNUSED")}


def placed(name: Any) -> dict[str, Any]:
    return {
        "field": name,
        "union": ["null", name],
        "array": {"type": "array", "items": name},
        "map": {"type": "map", "values": ["null", name]},
        "record": record("Around", "shop.other", inner={"type": "array", "items": name}),
    }


def nested(depth: int) -> dict[str, Any]:
    """A record T0 that has T1 inside, which has T2 inside, and so on."""
    made = record(f"T{depth}", None if depth else "shop.types", amount="long")
    for number in reversed(range(depth)):
        place = list(placed(made).values())[number % 4]
        made = record(f"T{number}", None if number else "shop.types", inner=place)
    return made


# -- types inside shared types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", placed(None))
@pytest.mark.parametrize("depth", [0, 1, 2, 5])
@pytest.mark.parametrize("with_outer", [True, False])
def test_type_inside_shared_type_is_found_at_any_depth(place: str, depth: int, with_outer: bool) -> None:
    name = f"shop.types.T{depth}"
    outer = {"outer": "shop.types.T0"} if with_outer else {}
    texts = files(
        record("Order", "shop", id="string", **outer, inner=placed(name)[place]),
        record("Key", "shop", id=placed(name)[place]),
        all=nested(5),
    )
    if place == "record":
        texts["orders/key.avsc"] = texts["orders/key.avsc"].replace("Around", "AroundKey")
    texts["orders/contract.yaml"] = KEYED.partition("sinks:")[0]
    contract = load(texts)
    for subject in contract.subjects:
        assert [one.name for one in subject.types] == ["shop.types.T0"]
        # Both texts mean the same: what the registry gets, with the reference, and the self-contained one.
        with_reference = parsing.parse(subject.registered_text, named=subject.types[0].schema.named)
        assert parsing.normalise(subject.schema_text) == parsing.normalise(parsing.to_json(with_reference))
    assert rules(texts) == set()


def test_every_command_takes_type_inside_shared_type() -> None:
    texts = files(record("Order", "shop", id="string", price="shop.types.T2", note="T3"), all=nested(3))
    texts["types/other.avsc"] = json.dumps(record("Other", x="T1"))
    texts["orders/value.avsc"] = texts["orders/value.avsc"].replace('"T3"', '"shop.types.Other"')
    contract = load(texts)
    assert {one.name for one in contract.value.types} == {"shop.types.T0", "shop.types.Other"}
    assert "amount" in yaml_out.text(odcs.of(contract))
    assert migrations.create([contract])
    stored = schema_of(texts["orders/value.avsc"], "", {k: v for k, v in texts.items() if k.startswith("types/")})
    assert parsing.normalise(contract.value.schema_text) == parsing.normalise(parsing.to_json(stored))


def test_short_name_means_the_type_of_its_own_namespace() -> None:
    inner = {"type": "fixed", "name": "Size", "size": 4}
    texts = files(
        record("Order", "shop.a", id="string", one="Size", two="shop.b.Size"),
        a=record("A", "shop.a", x=inner),
        b=record("B", "shop.b", x={**inner, "size": 8}),
    )
    value = load(texts).value
    assert [value.schema.resolve(field.type).size for field in value.record.fields[1:]] == [4, 8]
    assert {one.name for one in value.types} == {"shop.a.A", "shop.b.B"}


# -- one name, two definitions ------------------------------------------------------------------------------------

EUR, USD = ({"type": "enum", "name": "Currency", "symbols": symbols} for symbols in (["EUR"], ["EUR", "USD"]))
#: Where a second definition of shop.types.Currency may be -> value, shared types; `%` is the second definition.
TWICE: dict[str, tuple[Any, dict[str, Any]]] = {
    "two references": (["shop.types.A", "shop.types.B"], {"a": record("A", x=EUR), "b": record("B", x="%")}),
    "transitively": (
        ["shop.types.A", "shop.types.C"],
        {"a": record("A", x=EUR), "b": record("B", x="%"), "c": record("C", x="B")},
    ),
    "both transitively": (
        ["shop.types.C", "shop.types.D"],
        {"a": record("A", x=EUR), "b": record("B", x="%"), "c": record("C", x="B"), "d": record("D", x="A")},
    ),
    "own file and inside another": (
        ["shop.types.A", "shop.types.Currency"],
        {"a": record("A", x="%"), "currency": {**EUR, "namespace": "shop.types"}},
    ),
    "inside the value": (
        record("Order", "shop.types", id="string", a="A", b="%"),
        {"a": record("A", x=EUR)},
    ),
    "deep": (
        ["shop.types.A", "shop.types.B"],
        {"a": record("A", x=record("X", y=EUR)), "b": record("B", x={"type": "array", "items": ["null", "%"]})},
    ),
    "unclear which": ('"shop.types.Currency"', {"a": record("A", x=EUR), "b": record("B", x="%")}),
    "inside another shared type": (
        ["shop.types.D"],
        {"a": record("A", x=EUR), "b": record("B", x="%"), "d": record("D", one="A", two="B")},
    ),
}


@pytest.mark.parametrize("case", TWICE)
@pytest.mark.parametrize("second", [EUR, USD], ids=["same", "different"])
def test_two_definitions_of_one_name_have_to_be_the_same(case: str, second: dict[str, Any]) -> None:
    value, types = TWICE[case]
    texts = {path: text.replace('"%"', json.dumps(second)) for path, text in files(value, **types).items()}
    texts["orders/contract.yaml"] = KEYED.partition("sinks:")[0]
    if second is EUR:
        contract = load(texts)
        given = {name: node for one in contract.value.types for name, node in one.schema.named.items()}
        parsing.parse(contract.value.registered_text, named=given)
    else:
        with pytest.raises(InvalidSchema, match=r"shop\.types\.Currency is defined twice, differently") as caught:
            load(texts)
        assert caught.value.exit_code == 2
        places = set(re.findall(r"schemas/\S+\.avsc", str(caught.value)))
        assert {path for path in (f"schemas/{path}" for path, text in texts.items() if '"symbols"' in text)} <= places


def test_same_recursive_type_twice_is_refused_as_the_registry_does() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "next", "type": ["null", "Tree"]}]}
    texts = files(["shop.types.A", "shop.types.B"], a=record("A", x=tree), b=record("B", x=tree))
    texts["orders/contract.yaml"] = KEYED.partition("sinks:")[0]
    with pytest.raises(InvalidSchema, match="contain themselves"):
        load(texts)


def test_unused_definition_of_the_same_name_is_no_conflict() -> None:
    texts = files(record("Order", "shop", id="string", a="shop.types.A"), a=record("A", x=EUR), b=record("B", x=USD))
    assert load(texts).value.types
    assert rules(texts) == {("TYPE_UNUSED", "schemas/types/b.avsc")}


# -- comments and byte order marks --------------------------------------------------------------------------------


def commented(text: str, random_: random.Random) -> str:
    """The same JSON with comments between its tokens, and as many lines before each of them."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[\s]+|[^\s"]', text)
    last = max(index for index, token in enumerate(tokens) if token.strip())
    made = []
    for index, token in enumerate(tokens):
        if random_.random() < 0.3 and index <= last:
            made.append(random_.choice(['/* a "comment" */', "/**/", '/* {"type": "x" */']))
        made.append(token)
    return "".join(made)


@pytest.mark.parametrize("seed", range(20))
def test_comments_in_any_file_change_nothing(seed: int) -> None:
    plain = files(
        record("Order", "shop", id="string", one="shop.types.T1", all="shop.types.L1"),
        record("Key", "shop", id="string"),
        all=nested(3),
        listed=[record("L0", x="T2"), record("L1", x="L0")],
    )
    random_ = random.Random(seed)
    texts = {path: commented(text, random_) if path.endswith(".avsc") else text for path, text in plain.items()}
    texts["types/all.avsc"] = "// Licence\n/* of\n two lines */ " + texts["types/all.avsc"]
    texts["orders/value.avsc"] = "/* first */" + texts["orders/value.avsc"]
    one, other = load(plain), load(texts)
    assert [subject.registered_text for subject in one.subjects] == [each.registered_text for each in other.subjects]
    assert [each.name for each in one.value.types] == [each.name for each in other.value.types]
    for before, after in zip(one.value.types, other.value.types, strict=True):
        shift = 2 if before.file.endswith("all.avsc") else 0
        assert [node.line + shift for node in before.schema.walk()] == [node.line for node in after.schema.walk()]
    shared, same = (
        SharedTypes({path: text for path, text in each.items() if path.startswith("types/")})
        for each in (plain, texts)
    )
    value = "orders/value.avsc"
    assert shared.named(plain[value]).keys() == same.named(texts[value]).keys()
    assert len(shared.texts(plain[value])) == len(same.texts(texts[value])) == 2


@pytest.mark.parametrize("path", ["orders/value.avsc", "orders/key.avsc", "types/all.avsc", "types/unused.avsc"])
@pytest.mark.parametrize("before", ["", "// comment\n"])
def test_byte_order_mark_is_named_in_every_file(path: str, before: str) -> None:
    texts = files(record("Order", "shop", id="string", one="shop.types.T1"), all=nested(1), unused=record("U"))
    texts[path] = f"{before}\ufeff{texts[path]}"
    faults = [one.error for one in loading.read(Folder(texts), "schemas").faults]
    told = [one for one in faults if "byte order mark" in one.what]
    assert [(one.file, one.line) for one in told] == [(f"schemas/{path}", 1 + before.count("\n"))]


# -- several types in one file ------------------------------------------------------------------------------------


def test_array_of_types_means_the_same_as_a_file_for_each() -> None:
    types = {
        "currency": {**EUR, "namespace": "shop.types"},
        "price": record("Price", currency="Currency", parts={"type": "array", "items": record("Part", x="int")}),
        "list": record("List", prices={"type": "map", "values": "Price"}, part="shop.types.Part"),
    }
    value = record("Order", "shop", id="string", list="shop.types.List", currency="shop.types.Currency")
    apart = loading.from_files(files(value, **types), "schemas")
    for order in itertools.permutations(types.values()):
        together = loading.from_files(files(value, all=list(order)), "schemas")
        assert {one.name: one.registered_text for one in apart.subjects} == {
            one.name: one.registered_text for one in together.subjects
        }
        names = [one.name for one in together.types]
        assert names.index("shop.types.Currency") < names.index("shop.types.Price") < names.index("shop.types.List")


def test_place_of_a_type_in_an_array_is_its_place_in_the_file() -> None:
    text = '[\n{"type": "fixed", "name": "a.F", "size": 4},\n{"type": "record", "name": "a.R", "name": "a.R",\n'
    text += '"fields": [\n{"name": "f", "type": "F"}]}]'
    texts = files(record("Order", "shop", id="string", r="a.R"), all=text)
    types = {one.name: one.schema for one in loading.from_files(texts, "schemas").types}
    assert [(node.line, node.path) for node in types["a.R"].walk()] == [(3, ""), (5, "f"), (5, "f")]
    assert [one.line for one in types["a.R"].document.duplicates] == [3]
    assert types["a.F"].document.duplicates == ()
    texts["types/all.avsc"] = text.replace('"type": "F"', '"type": "Gone"')
    (fault, *_) = [one.error for one in loading.read(Folder(texts), "schemas").faults]
    assert (fault.file, fault.line, fault.path) == ("schemas/types/all.avsc", 5, "f")


def test_type_twice_in_an_array_is_refused() -> None:
    texts = files(record("Order", "shop", id="string", a="shop.types.A"), all=[record("A"), record("A")])
    assert ("UNREADABLE", "schemas/types/all.avsc") in rules(texts)


# -- files that nobody would miss ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "\ufeff{}", '{"type": "record", "name": "A"}', '{"type": "array", "items": "Gone"}', '["Gone"]'],
)
def test_shared_file_that_cannot_be_read_is_told(text: str) -> None:
    texts = files(record("Order", "shop", id="string"), broken=text)
    assert rules(texts) == {("UNREADABLE", "schemas/types/broken.avsc")}


@pytest.mark.parametrize("kind", [record("A"), [record("A"), record("B")], "string", ["null", "int"], []])
def test_shared_file_that_nothing_uses_is_told(kind: Any) -> None:
    texts = files(record("Order", "shop", id="string"), unused=json.dumps(kind))
    assert rules(texts) == {("TYPE_UNUSED", "schemas/types/unused.avsc")}


def test_unknown_type_proposes_the_one_in_another_namespace() -> None:
    texts = files(record("Order", "shop", id="string", price="Price"), all=record("Any", price=record("Price")))
    with pytest.raises(InvalidSchema, match=r"nothing defines the type 'shop\.Price'") as caught:
        load(texts)
    assert "'shop.types.Price'" in caught.value.fix


@pytest.mark.parametrize("key", [record("Price"), record("Cost", "shop.types", price=record("Price"))])
def test_type_in_the_schema_of_a_contract_is_found(key: Any) -> None:
    order = load(files(record("Order", "shop", id="string", price="shop.types.Price"), key))
    assert [one.file for one in order.value.types] == ["schemas/orders/key.avsc"]
    assert order.key is not None
    assert order.key.types == ()


def test_fault_of_a_lent_schema_is_reported_once() -> None:
    texts = files(record("Order", "shop", price="shop.types.Price"), record("Price", of="no.such.Type"))
    found = loading.read(Folder(texts), "schemas").faults
    assert {one.error.file for one in found} == {"schemas/orders/key.avsc"}
    assert len(found) == 1


# -- the names of a text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", range(6))
def test_outline_has_the_names_that_parsing_finds(depth: int) -> None:
    kind = record("Order", "shop", id="string", one=nested(depth), two="shop.types.T0", three="Order")
    text = json.dumps(kind)
    schema, names = parsing.parse(text), outline.outline(text)
    assert names is not None
    assert (names.name, names.defined) == ("shop.Order", set(schema.own))
    used = {node.fullname for node in schema.walk() if isinstance(node, Reference)}
    assert used <= {full for full, _ in names.used} | {written for _, written in names.used}


@pytest.mark.parametrize(
    "text", ["", "{", "[1", '{"type": "record", "fields": 5}', "[[1], {}]", '{"type": 5}', "null"]
)
def test_outline_of_any_text_raises_nothing(text: str) -> None:
    assert (outline.outline(text) is None) == (outline.parts(text) is None)
