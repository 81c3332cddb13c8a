"""The schema parser: the parts of a schema, their positions, and what is refused."""

from __future__ import annotations

import json

import pytest

from avro_data_contracts.contracts.avro.parsing import (
    MISSING,
    Array,
    Enum,
    Field,
    Fixed,
    Logical,
    Map,
    Primitive,
    Record,
    Reference,
    Schema,
    Union,
    parse,
    parse_stored,
)
from avro_data_contracts.contracts.errors import InvalidSchema

TEXT = """{
  "type": "record", "name": "User", "namespace": "com.example", "doc": "A user.", "aliases": ["Person", "old.User"],
  "owner": "crm",
  "fields": [
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}, "doc": "Identity."},
    {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "OLD"], "default": "NEW"},
     "default": "OLD", "order": "IGNORE", "aliases": ["state"], "confluent:tags": ["PII"]},
    {"name": "friends", "type": {"type": "array", "items": "User"}, "default": []},
    {"name": "spent", "type": {"type": "map", "values":
      {"type": "fixed", "name": "Money", "size": 8, "logicalType": "decimal", "precision": 18, "scale": 2}}},
    {"name": "payment", "type": ["null", "long", {"type": "record", "name": "Card", "fields": [
      {"name": "number", "type": "int"}]}], "default": null}
  ]
}"""


@pytest.fixture
def user() -> Schema:
    return parse(TEXT, where="user.avsc")


def field(schema: Schema, name: str) -> Field:
    assert isinstance(schema.root, Record)
    return schema.root.by_name[name]


def refused(text: str | object, where: str = "", **named: object) -> InvalidSchema:
    with pytest.raises(InvalidSchema) as error:
        parse(text if isinstance(text, str) else json.dumps(text), where=where, **named)
    assert error.value.fix
    return error.value


def record(*fields: object, name: str = "R") -> dict:
    return {"type": "record", "name": name, "fields": list(fields)}


def test_parse_reads_name_doc_aliases_and_fields_of_record(user: Schema) -> None:
    root = user.root
    assert isinstance(root, Record)
    assert (root.fullname, root.name, root.namespace, root.doc) == (
        "com.example.User",
        "User",
        "com.example",
        "A user.",
    )
    assert root.aliases == ("com.example.Person", "old.User")
    assert root.props == {"owner": "crm"}
    assert not root.is_error
    assert [one.name for one in root.fields] == ["id", "status", "friends", "spent", "payment"]


def test_parse_reads_default_order_aliases_and_properties_of_field(user: Schema) -> None:
    status = field(user, "status")
    assert (status.default, status.order, status.aliases) == ("OLD", "ignore", ("state",))
    assert status.props == {"confluent:tags": ["PII"]}
    assert field(user, "id").default is MISSING
    assert not field(user, "id").has_default
    assert field(user, "payment").default is None
    assert field(user, "payment").has_default


def test_parse_reads_each_kind_of_type(user: Schema) -> None:
    identity, status = field(user, "id").type, field(user, "status").type
    assert isinstance(identity, Primitive)
    assert (identity.type, identity.logical) == ("string", Logical("uuid"))
    assert isinstance(status, Enum)
    assert (status.fullname, status.symbols, status.default) == ("com.example.Status", ("NEW", "OLD"), "NEW")
    friends, spent, payment = (field(user, name).type for name in ("friends", "spent", "payment"))
    assert isinstance(friends, Array)
    assert isinstance(friends.items, Reference)
    assert friends.items.forward
    assert user.resolve(friends.items) is user.root
    assert isinstance(spent, Map)
    assert isinstance(spent.values, Fixed)
    assert (spent.values.size, spent.values.logical) == (8, Logical("decimal", 18, 2))
    assert isinstance(payment, Union)
    assert [one.type for one in payment.branches] == ["null", "long", "record"]


def test_schema_lists_its_own_types_and_walks_its_nodes(user: Schema) -> None:
    assert user.fullname == "com.example.User"
    # A type is registered once it has been read in full, so the outermost comes last.
    assert user.own == ("com.example.Status", "com.example.Money", "com.example.Card", "com.example.User")
    assert user.references == ()
    labels = [repr(node) for node in user.walk()]
    assert labels[:4] == [
        "<record com.example.User at the root>",
        "<field id at id>",
        "<string (uuid) at id>",
        "<field status at status>",
    ]


def test_every_node_has_path_line_and_column(user: Schema) -> None:
    places = {node.path: (node.line, node.column) for node in user.walk() if not isinstance(node, Field)}
    assert places == {
        "": (1, 1),
        "id": (5, 28),
        "status": (6, 32),
        "friends": (8, 33),
        "friends[]": (8, 60),
        "spent": (9, 31),
        "spent{}": (10, 7),
        "payment": (11, 34),
        "payment(long)": (11, 42),
        "payment(Card)": (11, 50),
        "payment(Card).number": (12, 34),
    }
    lines = TEXT.splitlines()
    for line, column in places.values():
        assert lines[line - 1][column - 1] in '{["'


@pytest.mark.parametrize(
    ("kind", "logical"),
    [
        ({"type": "int", "logicalType": "date"}, Logical("date")),
        ({"type": "long", "logicalType": "date"}, None),
        ({"type": "long", "logicalType": "timestamp-nanos"}, Logical("timestamp-nanos")),
        ({"type": "int", "logicalType": "unheard-of"}, None),
        ({"type": "int", "logicalType": 7}, None),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4}, Logical("decimal", 4, 0)),
        ({"type": "bytes", "logicalType": "decimal"}, None),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5}, None),
        ({"type": "bytes", "logicalType": "decimal", "precision": "4"}, None),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": None}, None),
        ({"type": "string", "logicalType": "decimal", "precision": 4}, None),
        (
            {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 4},
            Logical("decimal", 4, 0),
        ),
        ({"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 5}, None),
        ({"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}, Logical("duration")),
        ({"type": "fixed", "name": "F", "size": 11, "logicalType": "duration"}, None),
        ({"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}, Logical("uuid")),
        ({"type": "bytes", "logicalType": "big-decimal"}, Logical("big-decimal")),
    ],
)
def test_parse_ignores_logical_type_that_does_not_fit(kind: dict, logical: Logical | None) -> None:
    root = parse(json.dumps(kind)).root
    assert isinstance(root, (Primitive, Fixed))
    assert root.logical == logical
    assert root.props["logicalType"] == kind["logicalType"]


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        ("null", [None], [0, "", {}]),
        ("boolean", [True], [1, "true", None]),
        ("int", [2**31 - 1, -(2**31)], [2**31, 1.0, "1", True]),
        ("long", [2**63 - 1, -(2**63)], [2**63, 1.0, None]),
        ("float", [1, 1.5, "NaN", "1e3", " -Infinity ", "0x1p3", "1.5f"], ["x", "1_0", "", None, True]),
        ("double", [1e308, 10**19, "Infinity"], ["Inf", "nan", []]),
        ("bytes", ["", "\u0100"], [None, 1]),
        ("string", ["", "x"], [None, 1, {}]),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, ["A", "Z"], [None, 0]),
        ({"type": "fixed", "name": "F", "size": 2}, ["ab", "a"], [None, 0]),
        ({"type": "array", "items": "int"}, [[], [1]], [{}, ["1"], None]),
        ({"type": "map", "values": "int"}, [{}, {"a": 1}], [[], {"a": "1"}]),
        (["null", "int"], [None, 1], ["1", 1.0]),
        ([], [], [None, {}]),
        # A float inside a union does not accept text.
        (["null", "double"], [1.5], ["NaN"]),
        (record({"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 1}, name="I"),
         [{"a": 1}, {"a": 1, "b": 2, "c": 3}], [{}, {"a": "1"}, None, []]),
    ],
)  # fmt: skip
def test_parse_refuses_default_that_does_not_fit_the_type(kind: object, fitting: list, others: list) -> None:
    for default in fitting:
        parse(json.dumps(record({"name": "f", "type": kind, "default": default})))
    for default in others:
        text = json.dumps(record({"name": "f", "type": kind, "default": default}))
        assert refused(text).path == "f"
        if not (kind in ("float", "double") and isinstance(default, str)):
            # Defaults of stored schemas are not checked again, except text where a number belongs.
            parse_stored(text)


def test_parse_refuses_default_that_leads_into_recursive_type() -> None:
    inside = {"name": "next", "type": ["null", "R"], "default": None}
    parse(json.dumps(record(inside)))
    assert "recursive type R" in refused(record({**inside, "default": {}})).what
    # An empty list or an empty map does not lead into the record.
    parse(json.dumps(record({"name": "all", "type": {"type": "map", "values": "R"}, "default": {}})))


def test_parse_resolves_names_through_namespaces() -> None:
    text = record(
        {"name": "a", "type": {"type": "enum", "name": "x.E", "namespace": "ignored", "symbols": []}},
        {"name": "b", "type": {"type": "fixed", "name": "F", "namespace": "", "size": 1}},
        {"name": "c", "type": "F"},
        {"name": "d", "type": "x.E"},
        {"name": "e", "type": {"type": "fixed", "name": "G", "size": 1, "aliases": ["H", ".I", "j.K"]}},
        name="n.R",
    )
    schema = parse(json.dumps(text))
    assert schema.own == ("x.E", "F", "n.G", "n.R")
    assert schema.resolve(field(schema, "c").type) is field(schema, "b").type
    found = field(schema, "e").type
    assert isinstance(found, Fixed)
    assert found.aliases == ("n.H", ".I", "j.K")


def test_parse_resolves_types_of_other_schemas() -> None:
    address = parse('{"type": "record", "name": "a.Address", "fields": [{"name": "kind", "type":'
                    ' {"type": "enum", "name": "Kind", "symbols": ["HOME"]}}]}')  # fmt: skip
    text = json.dumps(record({"name": "home", "type": "a.Address"}, {"name": "kind", "type": "a.Kind"}))
    schema = parse(text, named=address.named)
    assert schema.references == ("a.Address", "a.Kind")
    assert schema.own == ("R",)
    assert schema.resolve(field(schema, "home").type) is address.root
    assert "nothing defines the type 'a.Address'" in refused(text).what
    assert parse('"a.Address"', named=address.named).fullname == "a.Address"


def test_parse_stored_is_more_lenient_than_parse() -> None:
    text = json.dumps({**record({"name": "straße", "type": "int", "default": "x"}), "namespace": "my-company"})
    refused(text)
    assert parse_stored(text).fullname == "my-company.R"
    for name in ("a b", "2nd", ""):
        with pytest.raises(InvalidSchema):
            parse_stored(json.dumps(record({"name": name, "type": "int"})))


def test_parse_error_names_file_line_and_column() -> None:
    error = refused('{"type": "record", "name": "R",\n "fields": [{"name": "f", "type": "strng"}]}', where="r.avsc")
    assert str(error) == "r.avsc:2:35: nothing defines the type 'strng'\n  fix: write \"string\""
    assert (error.path, error.line, error.column, error.exit_code) == ("f", 2, 35, 2)
    assert str(refused("[1]")).startswith("line 1, column 2: 1 is not a type")


def test_parse_error_suggests_a_fix_for_each_common_mistake() -> None:
    assert "rename one of the two" in refused(record(*[{"name": "f", "type": "int"}] * 2)).fix


def test_parse_handles_1000_levels_and_refuses_more() -> None:
    nested: object = "int"
    for level in range(300):
        nested = record({"name": "f", "type": nested}, name=f"R{level}")
    schema = parse(json.dumps(nested))
    innermost = list(schema.walk())[-1]
    assert innermost.path == ".".join(["f"] * 300)
    arrays = parse('{"type": "array", "items": ' * 1000 + '"int"' + "}" * 1000)
    assert list(arrays.walk())[-1].path == "[]" * 1000
    assert "deeper than 1000" in refused('{"type": "array", "items": ' * 1001 + '"int"' + "}" * 1001).what


def test_parse_handles_two_megabyte_schema() -> None:
    doc = "x" * 150
    fields = [{"name": f"f{index}", "type": ["null", "string"], "default": None, "doc": doc} for index in range(9000)]
    text = json.dumps(record(*fields), indent=1)
    assert len(text) > 2_000_000
    schema = parse(text)
    last = field(schema, "f8999")
    assert text.splitlines()[last.line - 1].strip() == "{"
    assert "not valid JSON" in refused(text[:-1]).what


def test_parse_checks_defaults_of_recursive_type_from_other_schema() -> None:
    node = (
        '{"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"], "default": null}]}'
    )
    named = parse(node).named
    user = {"name": "f", "type": "Node", "default": {"next": {"next": None}}}
    parse(json.dumps(record(user)), named=named)
    assert refused(json.dumps(record({**user, "default": {"next": {"next": 1}}})), named=named).path == "f"
    # A definition repeated word for word is the same type, except for a recursive type within one text.
    assert parse(node, named=named).root is named["Node"]
    assert "defined twice" in refused(f'[{node}, {{"type": "array", "items": {node}}}]').what


def test_parse_refuses_exponential_or_endless_default() -> None:
    pair = [record({"name": "f", "type": ["null", "A", "B"], "default": None}, name=name) for name in ("A", "B")]
    deep: object = 5
    for _ in range(200):
        deep = {"f": deep}
    # Two choices at each of 200 levels.
    assert "the default" in refused(record({"name": "r", "type": ["A", "B"], "default": deep}),
                                    named=parse(json.dumps(pair)).named).what  # fmt: skip
    endless = parse_stored(json.dumps(record({"name": "f", "type": "R", "default": {}})))
    assert (
        "the default"
        in refused(record({"name": "r", "type": "R", "default": {}}, name="N"), named=endless.named).what
    )


def test_parse_records_every_duplicate_key() -> None:
    text = json.dumps(record())[:-1] + "," + ",".join(['"doc": "x"'] * 100_000) + "}"
    assert len(parse(text).document.duplicates) == 99_999


def test_parse_error_stays_short_for_huge_input() -> None:
    for text in (json.dumps("x" * 100_000), json.dumps(record(name="x y" * 50_000))):
        assert len(str(refused(text))) < 400
