"""`envelope: debezium`: the rows in the envelope make the tables, and the envelope itself is registered."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro import connect, parsing
from avro_data_contracts.contracts.avro.nodes import AnyType
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog import envelope, loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.tables import layout, migrations
from contracts_tests.fixtures import debezium


def contract(**spec: Any) -> Contract:
    return loading.from_files(debezium.files(**spec), "schemas").get("customers")


def test_columns_are_the_rows_and_the_envelope_stays_registered() -> None:
    one = contract()
    assert json.loads(one.value.registered_text) == debezium.envelope()
    assert one.value.fullname == f"{debezium.TABLE}.Envelope"
    assert one.deletes
    for sink in one.sinks:
        table = layout.of(one, sink)
        assert [column.name for column in table.columns] == list(debezium.COLUMNS)
    names = [needed.table for needed in migrations.create([one])]
    assert names == ["shop.customers", "shop.customers__deleted", "public.customers", "public.customers__deleted"]


def test_every_type_has_the_column_of_the_page() -> None:
    one = contract()
    found = {sink.kind: {column.name: column.type for column in layout.of(one, sink).columns} for sink in one.sinks}
    assert found == {
        "postgres": {
            "id": "integer", "email": "text", "name": "text", "balance": "numeric(12,2)", "born": "date",
            "opens": "time without time zone", "wakes": "time without time zone",
            "seen": "timestamp without time zone", "changed": "timestamp without time zone", "measured": "bigint",
            "paid": "text", "token": "uuid", "settings": "text", "level": "text", "rate": "jsonb", "photo": "bytea",
            "tags": "jsonb",
        },
        "cassandra": {
            "id": "int", "email": "text", "name": "text", "balance": "decimal", "born": "date", "opens": "time",
            "wakes": "time", "seen": "timestamp", "changed": "bigint", "measured": "bigint", "paid": "text",
            "token": "uuid", "settings": "text", "level": "text", "rate": "text", "photo": "blob", "tags": "text",
        },
    }  # fmt: skip


@pytest.mark.parametrize(("name", "of"), sorted(connect.TYPES.items()))
def test_name_of_a_type_becomes_its_logical_type(name: str, of: tuple[str, str]) -> None:
    node = _type(of[0], name)
    assert (node.type, type_name(node)) == of
    assert type_name(_type("bytes", name)) == "bytes", "of another base type, the name says nothing"


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("long", "io.debezium.time.NanoTime"),
        ("string", "io.debezium.time.ZonedTimestamp"),
        ("long", "io.debezium.time.MicroDuration"),
        ("long", "io.debezium.time.Unheard"),
        ("bytes", "org.apache.kafka.connect.data.Decimal"),
        ("long", "com.example.Date"),
    ],
)
def test_other_names_leave_the_type_as_it_is(base: str, name: str) -> None:
    assert type_name(_type(base, name)) == base


def test_declared_logical_type_wins_over_the_name() -> None:
    kind = {**debezium.semantic("long", "io.debezium.time.MicroTimestamp"), "logicalType": "timestamp-micros"}
    schema = connect.typed(parsing.parse(json.dumps(kind)))
    assert type_name(schema.root) == "timestamp-micros"


def _type(base: str, name: str) -> AnyType:
    """The type of an array's items, typed, after a round through its text."""
    items = {"type": "array", "items": ["null", debezium.semantic(base, name)]}
    text = {"type": "record", "name": "R", "fields": [{"name": "f", "type": items}]}
    found = connect.typed(parsing.parse(json.dumps(text)))
    again = parsing.parse(to_json(found))
    types = [nullability(one, one.named["R"].by_name["f"].type.items)[0] for one in (found, again)]
    assert len({type_name(one) for one in types}) == 1
    return types[0]


def test_reader_has_only_the_operation_and_the_row() -> None:
    reader = json.loads(to_json(contract().reader))
    assert [field["name"] for field in reader["fields"]] == ["after", "op"]
    names = {field["name"] for field in reader["fields"][0]["type"][1]["fields"]}
    assert names == set(debezium.COLUMNS)


def test_rules_and_consumers_name_fields_of_the_rows() -> None:
    one = contract(rules=[{"name": "known", "field": "email", "required": True}])
    assert [rule.field for rule in one.rules] == ["email"]
    with pytest.raises(ConfigurationError, match=r"after\.email|no field"):
        contract(rules=[{"name": "known", "field": "after.email", "required": True}])


def without(*names: str) -> dict[str, Any]:
    found = debezium.envelope()
    rows = found["fields"][0]["type"]
    found["fields"] = [field for field in found["fields"] if field["name"] not in names]
    if "before" in names and "after" not in names:
        found["fields"][0]["type"] = rows
    return found


def with_field(name: str, kind: Any) -> dict[str, Any]:
    found = copy.deepcopy(debezium.envelope())
    field = next(field for field in found["fields"] if field["name"] == name)
    field.clear()
    field |= {"name": name, "type": kind}
    return found


FLAT = {
    "type": "record",
    "name": "Value",
    "namespace": "n",
    "fields": [{"name": "id", "type": "int"}, {"name": "__deleted", "type": ["null", "string"]}],
}


@pytest.mark.parametrize(
    ("spec", "file", "words"),
    [
        ({"value": without("op")}, "value.avsc", "it has no op"),
        ({"value": without("before")}, "value.avsc", "it has no before"),
        ({"value": without("before", "after")}, "value.avsc", "it has no before and no after"),
        ({"value": FLAT}, "value.avsc", "ExtractNewRecordState"),
        ({"value": '"string"'}, "value.avsc", "not a record"),
        ({"value": with_field("after", ["null", "string"])}, "value.avsc", "after has to be null or a record"),
        ({"value": with_field("after", "Value")}, "value.avsc", "after has to be null or a record"),
        ({"value": with_field("op", "int")}, "value.avsc", "op has to be a string"),
        ({"key": ["id"], "contract_key": None}, "contract.yaml", "needs the schema of its key"),
        ({"tombstones": "reject"}, "contract.yaml", "tombstones: reject contradicts"),
        ({"source": {"api": "randomuser"}}, "contract.yaml", "exclude each other"),
        ({"envelope": "maxwell"}, "contract.yaml", "debezium"),
        (
            {"key_file": debezium.key_schema(key=("email",))},
            "key.avsc",
            "envelope: debezium needs the primary key in the record's key, which has no field 'id'",
        ),
        (
            {"key_file": debezium.key_schema({"id": "long"})},
            "key.avsc",
            "envelope: debezium cannot find rows by 'id', long in the key and int in the value",
        ),
        (
            {"sinks": {"postgres": {"table": "t", "primary_key": ["nobody"]}}},
            "contract.yaml",
            "there is no field 'nobody'",
        ),
        (
            {"sinks": {"postgres": {"table": "t", "mode": "append"}}},
            "contract.yaml",
            "envelope: debezium finds no row",
        ),
    ],
)
def test_contract_that_cannot_have_the_envelope_is_refused(spec: dict[str, Any], file: str, words: str) -> None:
    if spec.pop("contract_key", "") is None:
        files = debezium.files()
        files["customers/contract.yaml"] = files["customers/contract.yaml"].replace("key: key.avsc\n", "")
    else:
        files = debezium.files(**spec)
        if isinstance(spec.get("value"), str):
            files["customers/value.avsc"] = spec["value"]
    with pytest.raises(ConfigurationError, match=r".") as refused:
        loading.from_files(files, "schemas")
    assert words in str(refused.value)
    assert refused.value.file == f"schemas/customers/{file}"
    assert refused.value.line > 0
    assert refused.value.fix


def test_key_of_dates_and_uuids_deletes_by_their_logical_types() -> None:
    columns = {
        "token": debezium.semantic("string", "io.debezium.data.Uuid"),
        "day": debezium.semantic("int", "io.debezium.time.Date"),
        "note": "string",
    }
    one = contract(columns=columns, key=("token", "day"))
    names = [type_name(field.type) for field in one.keys.value.record.fields]
    assert names == ["uuid", "date"]
    (table,) = [layout.deletions(layout.of(one, sink)) for sink in one.sinks if sink.kind == "postgres"]
    assert [column.type for column in table.columns] == ["uuid", "date"]


def test_topic_of_several_contracts_cannot_have_the_envelope() -> None:
    other = debezium.envelope(table="shop.public.orders")
    key = {"key_subject": "one-key", "subject_strategy": "TopicRecordName"}
    sinks = {"postgres": {"table": "orders", "primary_key": ["id"]}}
    files = debezium.files(**key)
    more = debezium.files(value=other, sinks=sinks, **key)
    files |= {path.replace("customers", "orders"): text for path, text in more.items()}
    with pytest.raises(ConfigurationError, match="has several contracts") as refused:
        loading.from_files(files, "schemas")
    assert refused.value.path == "envelope"


def test_a_contract_without_envelope_is_its_own_rows() -> None:
    files = debezium.files(envelope=None, sinks={})
    plain = loading.from_files(files, "schemas").get("customers")
    assert plain.rows is plain
    assert plain.reader is plain.value.schema
    assert plain.rows_of(plain.value.schema) is plain.value.schema
    assert envelope.is_one(plain.value.schema)
