"""`contracts init --from odcs`: what was exported comes back the same, and of other documents every loss is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.export import odcs as exported
from avro_data_contracts.contracts.export import yaml_out
from avro_data_contracts.contracts.start import losses, odcs, odcs_types
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.contract_files import CONTRACT, record
from contracts_tests.fixtures.nested import values

STANDARD = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
VALIDATOR = Draft201909Validator(STANDARD)
KEYS = {"owner": "unknown", "compatibility": "BACKWARD"}
DATE = {"type": "int", "logicalType": "date"}


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(files: Mapping[str, str], *, validated: bool = True) -> str:
    """What `contracts export odcs` prints.  `validated`: takes minutes for deep types."""
    current = loading.from_files(files, "schemas")
    texts = {f"schemas/{path}": text for path, text in files.items()}
    documents = [exported.of(one, "", texts[one.file]) for one in current.contracts.values()]
    for one in documents if validated else ():
        VALIDATOR.validate(one)
    return yaml_out.texts(documents)


def started(folder: Path, text: str) -> tuple[dict[str, str], list[str]]:
    """The files that init writes for a document, without contracts.toml, and its notes."""
    (folder / "document.yaml").write_text(text, encoding="utf-8")
    found = odcs.of(folder / "document.yaml", folder, KEYS)
    return {path: one for path, one in found.files.items() if path != "contracts.toml"}, list(found.notes)


def imported(folder: Path, document: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The same of one document, which has to be valid."""
    VALIDATOR.validate(document)
    return started(folder, yaml_out.text(document))


@pytest.mark.parametrize(
    "schemas", ["schemas", *(f"examples/{one}/schemas" for one in ("orders", "parcels", "weather"))]
)
def test_contracts_of_this_repository_come_back_the_same(schemas: str, top: Path) -> None:
    before = run_contracts("--schemas", str(CLONE / schemas), "export", "odcs").stdout
    (top / "document.yaml").write_text(before, encoding="utf-8")
    done = run_contracts("init", "--from", "odcs", "document.yaml")
    assert (done.returncode, "note:" in done.stdout) == (0, False), done.stdout + done.stderr
    assert run_contracts("export", "odcs").stdout == before
    assert run_contracts("lint").returncode == run_contracts("--schemas", str(CLONE / schemas), "lint").returncode
    again = run_contracts("init", "--from", "document.yaml")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


@given(values(tags=True), st.none() | values(depth=2), st.booleans())
@settings(max_examples=examples.of(60), deadline=None)
def test_every_schema_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, value: Any, key: Any, rules: bool
) -> None:
    contract = "topic: orders\nowner: shop\ncompatibility: FULL\nlint: {FIELD_DOC: {severity: off, reason: old}}\n"
    files = {"orders/contract.yaml": contract, "orders/value.avsc": json.dumps(value)}
    if key is not None:
        files["orders/contract.yaml"] += "key: key.avsc\n"
        files["orders/key.avsc"] = json.dumps(key)
    if rules and isinstance(value, dict) and value.get("type") == "record":
        name = value["fields"][0]["name"]
        files["orders/contract.yaml"] += f"rules: [{{name: there, expression: {name} is not null}}]\n"
    before = export(files, validated=False)
    made, notes = started(tmp_path_factory.mktemp("odcs"), before)
    assert notes == []
    assert export(made, validated=False) == before


SINKS = """
tombstones: delete
key: key.avsc
kafka: {partitions: 6, replication_factor: 3, config: {cleanup.policy: [compact, delete], retention.ms: 90000000}}
producer: {schema_id: header}
source: {url: "https://example.com/orders", count: all, timeout: 5}
sinks:
  cassandra: {keyspace: k, table: orders, partition_key: [id, day], clustering: [at desc], ttl: 90d}
  postgres:
    {table: orders, primary_key: [id, day, at], partition_by: {column: day, every: month}, indexes: [{columns: [at]}]}
approvals: [{rule: LEVEL_WEAKENED, reason: agreed, until: 2030-01-31}]
consumers: [{name: billing, owner: money, fields: [id]}]
"""


def test_everything_that_a_contract_says_comes_back(tmp_path: Path) -> None:
    fields = [("id", "string"), ("day", DATE), ("at", "long")]
    contract = SINKS.replace(", timeout: 5", "")
    files = {
        "orders/contract.yaml": "topic: orders\nowner: shop\ncompatibility: FULL\n" + contract,
        "orders/value.avsc": record(*fields),
        "orders/key.avsc": record(*fields, name="shop.Key"),
    }
    before = export(files)
    made, notes = started(tmp_path, before)
    assert notes == []
    assert export(made) == before
    first, second = (loading.from_files(one, "schemas").get("orders").spec for one in (files, made))
    names = {"key": "", "value": ""}
    assert first.model_copy(update=names) == second.model_copy(update=names)


def test_contracts_of_one_topic_come_back_together(tmp_path: Path) -> None:
    files = {
        f"shop/{name}/{file}": text
        for name in ("paid", "sent")
        for file, text in (
            ("contract.yaml", "topic: o\nowner: a\ncompatibility: FULL\nsubject_strategy: TopicRecordName\n"),
            ("value.avsc", record(("id", "string"), name=f"shop.{name.title()}")),
        )
    }
    before = export(files)
    made, notes = started(tmp_path, before)
    assert notes == []
    assert set(made) == {f"shop/{name}.{file}" for name in ("paid", "sent") for file in ("avsc", "contract.yaml")}
    assert export(made) == before


def test_change_in_the_catalogue_counts_or_is_told(tmp_path: Path) -> None:
    files = {"orders/contract.yaml": CONTRACT, "orders/value.avsc": record(("id", "string"), ("n", "int"))}
    document = yaml.safe_load(export(files))
    document["team"]["name"] = "others"
    document["description"] = {"purpose": "Orders.", "usage": "Do not sell it."}
    document["status"] = "deprecated"
    document["schema"][0]["properties"][1]["description"] = "How many."
    document["schema"][0]["properties"].append({"name": "new", "logicalType": "string"})
    made, notes = imported(tmp_path, document)
    contract = loading.from_files(made, "schemas").get("orders")
    assert (contract.spec.owner, contract.spec.description) == ("others", "Orders.")
    assert list(contract.value.record.by_name) == ["id", "n"]
    assert notes == [
        'lost: status: "deprecated" becomes "active"',
        'lost: schema.properties.description: left out: "How many." (Order.n)',
        "lost: schema.properties: left out (Order.new)",
        'lost: description.usage: left out: "Do not sell it."',
    ]


FOREIGN: dict[str, Any] = {
    "apiVersion": "v3.0.2",
    "kind": "DataContract",
    "id": "53581432-6c55-4ba2-a65f-72344a91553a",
    "name": "Seller payments (v1)",
    "version": "1.1.0",
    "status": "active",
    "domain": "seller",
    "team": [{"username": "ann", "role": "Owner"}, {"username": "ben", "role": "Reader"}],
    "description": {"purpose": "Payments of sellers."},
    "slaProperties": [{"property": "retention", "value": 3, "unit": "d"}],
    "schema": [
        {
            "name": "tbl",
            "physicalName": "payments.v1",
            "physicalType": "table",
            "description": "One row for each payment.",
            "quality": [{"type": "sql", "query": "SELECT 1", "mustBe": 1}],
            "properties": [
                {"name": "id", "logicalType": "string", "primaryKey": True, "logicalTypeOptions": {"format": "uuid"}},
                {
                    "name": "payer e-mail",
                    "logicalType": "string",
                    "physicalType": "varchar(320)",
                    "classification": "pii",
                    "required": True,
                },
                {
                    "name": "state",
                    "logicalType": "string",
                    "tags": ["status"],
                    "quality": [
                        {
                            "type": "library",
                            "metric": "invalidValues",
                            "mustBe": 0,
                            "arguments": {"validValues": ["open", "done"]},
                        },
                        {"type": "library", "metric": "nullValues", "mustBe": 0, "name": "State is there!"},
                        {"type": "library", "metric": "duplicateValues", "mustBe": 0},
                    ],
                },
                {"name": "amount", "logicalType": "number", "physicalType": "DECIMAL(12, 2)", "required": True},
                {"name": "rate", "logicalType": "number"},
                {"name": "paid_at", "logicalType": "timestamp", "physicalType": "TIMESTAMP WITH TIME ZONE"},
                {
                    "name": "lines",
                    "logicalType": "array",
                    "items": {
                        "logicalType": "object",
                        "properties": [
                            {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"format": "i32"}}
                        ],
                    },
                },
                {"name": "extra", "logicalType": "object"},
            ],
        }
    ],
}


def test_document_of_somebody_else_becomes_a_contract(tmp_path: Path) -> None:
    made, notes = imported(tmp_path, FOREIGN)
    name = "Seller_payments__v1_"
    assert list(made) == [f"{name}.avsc", f"{name}.contract.yaml"]
    contract = loading.from_files(made, "schemas").get(name)
    assert (contract.topic, contract.spec.owner, contract.spec.description) == (
        "payments.v1",
        "ann",
        "Payments of sellers.",
    )
    assert contract.spec.kafka.config == {"retention.ms": "259200000"}
    assert [one.asks for one in contract.spec.rules] == [
        {"field": "state", "one_of": ["open", "done"]},
        {"field": "state", "required": True},
    ]
    lines = {"type": "record", "name": "TblLines", "fields": [optional("n", "int")]}
    schema = json.loads(made[f"{name}.avsc"])
    assert schema == {
        "type": "record",
        "name": "Tbl",
        "namespace": "todo",
        "doc": "One row for each payment.",
        "fields": [
            {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
            {"name": "payer_e_mail", "type": "string", "confluent:tags": ["PII"]},
            {**optional("state", "string"), "confluent:tags": ["status"]},
            {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
            optional("rate", "double"),
            optional("paid_at", odcs_types.MICROS),
            optional("lines", {"type": "array", "items": lines}),
            optional("extra", {"type": "map", "values": "string"}),
        ],
    }
    assert notes == [
        f"{name}: the field 'payer e-mail' is called payer_e_mail, because Avro does not allow its name",
        f"{name}: rate says neither precision and scale nor f32 or f64, so it is a double",
        f"{name}: extra names no properties, so it is a map of texts",
        f"{name}: decide the namespace todo before you register",
        f"{name}: the rule 'State is there!' is called state_is_there",
        'lost: id: "53581432-6c55-4ba2-a65f-72344a91553a" becomes "payments.v1"',
        f'lost: name: "Seller payments (v1)" becomes "{name}"',
        'lost: version: "1.1.0" becomes "1.0.0"',
        'lost: domain: left out: "seller"',
        'lost: team: [{"username": "ann", "role": "Owner"}, {"username": "ben", … becomes {"name": "ann"}',
        'lost: schema.name: "tbl" becomes "Tbl" (tbl)',
        'lost: schema.physicalType: "table" becomes "topic" (tbl)',
        "lost: schema.quality: left out (tbl)",
        "lost: schema.properties.primaryKey: left out: true (tbl.id)",
        'lost: schema.properties.name: "payer e-mail" becomes "payer_e_mail" (tbl.payer e-mail)',
        'lost: schema.properties.physicalType: "varchar(320)" becomes "string" (tbl.payer e-mail)',
        'lost: schema.properties.classification: "pii" becomes "PII" (tbl.payer e-mail)',
        'lost: schema.properties.quality: left out: {"type": "library", "metric": "duplicateValues", "mustBe": … '
        "(tbl.state)",
    ]


def optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


LIMITED: list[dict[str, Any]] = [
    {"name": "code", "logicalType": "string", "logicalTypeOptions": {"minLength": 2, "maxLength": 8, "format": "x"}},
    {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "exclusiveMaximum": 9}},
    {"name": "late", "logicalType": "date", "logicalTypeOptions": {"maximum": "soon"}},
    {"name": "day", "logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}},
]


def test_limits_of_a_type_become_rules_or_are_told(tmp_path: Path) -> None:
    made, notes = imported(tmp_path, {**FOREIGN, "name": "t", "schema": [{"name": "T", "properties": LIMITED}]})
    rules = loading.from_files(made, "schemas").get("t").spec.rules
    assert {one.name: one.asks for one in rules} == {
        "code_length": {"field": "code", "min_length": 2, "max_length": 8},
        "n_range": {"field": "n", "min": 1},
        "day_range": {"field": "day", "min": "2020-01-01"},
    }
    assert [one for one in notes if "logicalTypeOptions" in one] == [
        'lost: schema.properties.logicalTypeOptions.format: left out: "x" (T.code)',
        "lost: schema.properties.logicalTypeOptions.exclusiveMaximum: left out: 9 (T.n)",
        'lost: schema.properties.logicalTypeOptions.maximum: left out: "soon" (T.late)',
    ]


def test_primary_key_is_a_hint_for_tables(tmp_path: Path) -> None:
    made, _ = imported(tmp_path, FOREIGN)
    hints = made["Seller_payments__v1_.contract.yaml"].partition("# The document's primary key, for sinks:\n")[2]
    assert "sinks:" in hints
    sinks = "".join(line.removeprefix("# ") + "\n" for line in hints.splitlines())
    head = made["Seller_payments__v1_.contract.yaml"] + sinks
    found = loading.from_files({**made, "Seller_payments__v1_.contract.yaml": head}, "schemas")
    [table] = found.get("Seller_payments__v1_").sinks
    assert (table.qualified, table.primary_key) == ("public.seller_payments__v1_", ["id"])


def test_each_object_of_a_document_becomes_a_contract(tmp_path: Path) -> None:
    document = copy.deepcopy(FOREIGN)
    document["schema"] = [
        {"name": name, "properties": [{"name": "id", "logicalType": "integer", "required": True}]}
        for name in ("orders", "returns")
    ]
    made, notes = imported(tmp_path, document)
    found = loading.from_files(made, "schemas")
    assert {name: one.topic for name, one in found.contracts.items()} == {"orders": "orders", "returns": "returns"}
    assert not [one for one in notes if one.startswith("lost: schema.properties")]


@pytest.mark.parametrize("order", [("a", "k", "a.key"), ("a.key", "a", "k")])
@pytest.mark.parametrize("documents", ["one", "two"])
def test_key_of_one_contract_and_value_of_another_never_share_a_file(
    order: tuple[str, ...], documents: str, tmp_path: Path
) -> None:
    objects = {
        "a": {"name": "a", "physicalName": "t", "physicalType": "topic"},
        "k": {"name": "k", "physicalName": "t", "physicalType": exported.KEY},
        "a.key": {"name": "a.key", "physicalName": "u"},
    }
    parts = [{**objects[name], "properties": [{"name": "id", "logicalType": "integer"}]} for name in order]
    at = order.index("a.key")
    groups = [parts] if documents == "one" else [parts[:at] + parts[at + 1 :], [parts[at]]][:: 1 if at else -1]
    head = {key: value for key, value in FOREIGN.items() if key != "name"}
    with pytest.raises(ConfigurationError) as refused:
        started(tmp_path, yaml_out.texts([_named({**head, "schema": group}) for group in groups]))
    assert "two contracts would write a.key.avsc" in str(refused.value)


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """A document of one object has its name."""
    first = document["schema"][0]["name"]
    return {**document, "name": "a.key" if first == "a.key" else "a"}


def scalar(**source: Any) -> tuple[Any, list[str]]:
    """The type of a property that is required, and its doubts."""
    types = odcs_types.Types()
    made = types.record("R", {"properties": [{"name": "f", "required": True, **source}]}, "")
    parsing.parse(json.dumps(made))
    return made["fields"][0]["type"], types.doubts


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"logicalType": "string"}, "string"),
        ({"logicalType": "string", "logicalTypeOptions": {"format": "binary"}}, "bytes"),
        ({"logicalType": "string", "logicalTypeOptions": {"format": "email"}}, "string"),
        ({"logicalType": "integer"}, "long"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u16"}}, "int"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u32"}}, "long"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}}, decimal(20, 0)),
        ({"logicalType": "integer", "physicalType": "INT"}, "int"),
        ({"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}, "float"),
        ({"logicalType": "number", "physicalType": "FLOAT"}, "double"),
        ({"logicalType": "number", "physicalType": "float", "logicalTypeOptions": {"format": "f32"}}, "float"),
        ({"logicalType": "number", "physicalType": "NUMERIC(9)"}, decimal(9, 0)),
        ({"physicalType": "decimal(10,2)"}, decimal(10, 2)),
        ({"logicalType": "number", "physicalType": "bytes (decimal(10,2))"}, decimal(10, 2)),
        ({"logicalType": "boolean"}, "boolean"),
        ({"logicalType": "date"}, DATE),
        ({"logicalType": "time", "physicalType": "int (time-millis)"}, {"type": "int", "logicalType": "time-millis"}),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}, odcs_types.MICROS),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}}, odcs_types.LOCAL_MICROS),
        ({"logicalType": "timestamp", "physicalType": "timestamptz"}, odcs_types.MICROS),
        ({"logicalType": "array", "items": {"logicalType": "integer"}}, {"type": "array", "items": "long"}),
        ({"physicalType": "Double  Precision"}, "double"),
        ({"physicalType": "varchar(20)"}, "string"),
    ],
)
def test_type_of_a_property(source: dict[str, Any], kind: Any) -> None:
    assert scalar(**source) == (kind, [])


@pytest.mark.parametrize(
    ("source", "kind", "doubt"),
    [
        ({}, "string", "f has no type that is known here (none at all), so it is a text"),
        ({"physicalType": "GEOGRAPHY"}, "string", "f has no type that is known here (geography), so it is a text"),
        ({"logicalType": "number"}, "double", "f says neither precision and scale nor f32 or f64, so it is a double"),
        (
            {"logicalType": "number", "physicalType": "decimal(60, 2)"},
            "double",
            "f says neither precision and scale nor f32 or f64, so it is a double",
        ),
        (
            {"logicalType": "integer", "physicalType": "varchar"},
            "long",
            "f is an integer, and its physicalType 'varchar' is not, so only the first counts",
        ),
        (
            {"logicalType": "integer", "logicalTypeOptions": {"format": "i128"}},
            decimal(38, 0),
            "f may have 39 digits (i128), and no store holds more than 38",
        ),
        (
            {"logicalType": "timestamp"},
            odcs_types.LOCAL_MICROS,
            "f does not say whether it has a time zone, so it is a local time",
        ),
        (
            {"logicalType": "array"},
            {"type": "array", "items": "string"},
            "f does not say what its items are, so they are texts",
        ),
    ],
)
def test_doubt_about_a_type_is_told(source: dict[str, Any], kind: Any, doubt: str) -> None:
    assert scalar(**source) == (kind, [doubt])


@pytest.mark.parametrize("name", sorted(odcs_types.PHYSICAL))
def test_physical_type_fits_its_logical_type(name: str) -> None:
    logical, kind = odcs_types.PHYSICAL[name]
    assert scalar(logicalType=logical, physicalType=name.upper()) == (kind, [])


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("../../etc/passwd", "______etc_passwd"),
        (".git/hooks/post-commit", "_git_hooks_post-commit"),
        ("a/.b", "a__b"),
        ("/tmp/x", "_tmp_x"),
        ("shop/orders", "shop/orders"),
        ("Größe", "Größe"),
        ("a\\b\n", "a_b_"),
    ],
)
def test_name_never_leads_out_of_the_folder(name: str, made: str, tmp_path: Path) -> None:
    files, _ = started(tmp_path, yaml_out.text({**FOREIGN, "name": name}))
    assert f"{made}.contract.yaml" in files
    assert all((tmp_path / path).resolve().is_relative_to(tmp_path.resolve()) for path in files)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a: [", "not YAML"),
        ("- a", "not a document of the Open Data Contract Standard"),
        ("kind: DataContract\napiVersion: v2.2.2\n", "only versions 3 of the standard"),
        ("kind: DataContract\napiVersion: v3.1.0\n", "`schema` is not a list of objects"),
        ("kind: DataContract\napiVersion: v3.1.0\nschema: []\n", "the document has no schema"),
        ("kind: DataContract\napiVersion: v3.1.0\nschema: [1]\n", "`schema` is not a list of objects"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
            "more than 1,000,000 values",
        ),
        (
            "kind: DataContract\napiVersion: v3.1.0\nschema: [{name: a, customProperties: "
            "[{property: avroSchema, value: '{'}]}]\n",
            "avroSchema of a",
        ),
        ("[" * 5000, "not YAML"),
        (
            f"kind: DataContract\napiVersion: v3.1.0\ntags: {'[' * 800}{']' * 800}\nschema: [{{name: a}}]\n",
            "too deep",
        ),
        ("kind: DataContract\napiVersion: v3.1.0\nschema: [{name: a, since: 2026-13-45}]\n", "not a date"),
    ],
)
def test_file_that_is_no_document_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        started(tmp_path, text)
    assert words in str(refused.value)
    assert "fix:" in str(refused.value)


LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4)
NAMES = st.sampled_from(["name", "property", "value", "logicalType", "properties", "items", "quality", "x"])
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@given(
    st.dictionaries(st.sampled_from(sorted(STANDARD["properties"])), DOCUMENTS),
    st.lists(st.dictionaries(NAMES | st.sampled_from(["physicalType", "customProperties"]), DOCUMENTS), max_size=3),
)
@settings(max_examples=examples.of(150), deadline=None)
def test_any_document_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], schema: list[Any]
) -> None:
    document = {**content, "kind": "DataContract", "apiVersion": "v3.1.0", "schema": schema}
    folder = tmp_path_factory.mktemp("odcs")
    try:
        made, _ = started(folder, yaml_out.text(document))
    except ConfigurationError:
        return
    assert loading.from_files(made, "schemas").contracts


def places(value: Any, around: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys of every value inside an object."""
    found = []
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += [(*around, key), *places(one, (*around, key))]
    return found


@given(st.data())
@settings(max_examples=examples.of(200), deadline=None)
def test_each_value_that_is_gone_or_another_is_told(data: st.DataObject) -> None:
    again = copy.deepcopy(FOREIGN)
    assert losses.told(FOREIGN, again) == []
    *around, last = data.draw(st.sampled_from(places(FOREIGN)))
    holder: Any = again
    for key in around:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = "another"
    assert losses.told(FOREIGN, again) != []
    assert losses.told(again, again) == []


def test_what_only_the_other_document_has_is_no_loss() -> None:
    assert losses.told({"a": [{"name": "x"}]}, {"a": [{"name": "x", "b": 1}, {"name": "y"}], "c": 2}) == []


def test_losses_of_one_kind_are_told_once() -> None:
    document = {"p": [{"name": f"f{number}", "unique": True} for number in range(9)]}
    without = {"p": [{"name": f"f{number}"} for number in range(9)]}
    assert losses.told(document, without) == ["p.unique: left out: true (f0, f1, f2 and 6 more)"]
