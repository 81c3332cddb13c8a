"""`tombstones: delete` requires a record key that identifies one row in each store; errors name file and line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.choices import Tombstones
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.known import store_of
from avro_data_contracts.contracts.tables import layout, migrations

ID = {"name": "id", "type": {"type": "string", "logicalType": "uuid"}}


def contract(key: list[Any] | None | dict[str, Any] = (ID,), **spec: Any) -> Contract:
    """A contract with both stores and the given key."""
    value = [ID, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]
    document = {
        "topic": "things",
        "owner": "test",
        "compatibility": "FULL",
        **({} if key is None else {"key": "key.avsc"}),
        "tombstones": "delete",
        "sinks": {
            "cassandra": {"keyspace": "k", "table": "things", "primary_key": ["id"]},
            "postgres": {"table": "things", "primary_key": ["id"]},
        },
    }
    for name, change in spec.items():
        document["sinks"]["postgres"][name] = change
    fields = key if isinstance(key, dict) else {"type": "record", "name": "Key", "fields": list(key or ())}
    files = {
        "things/contract.yaml": yaml.safe_dump(document, sort_keys=False),
        "things/key.avsc": "\n\n" + json.dumps(fields, indent=1),
        "things/value.avsc": json.dumps({"type": "record", "name": "Thing", "namespace": "n", "fields": value}),
    }
    return loading.from_files(files, "schemas").get("things")


def test_tombstones_delete_rows_only_if_the_contract_says_so() -> None:
    assert contract().deletes
    files = {
        "things/contract.yaml": "topic: things\nowner: test\ncompatibility: FULL\n",
        "things/value.avsc": '{"type": "record", "name": "Thing", "fields": []}',
    }
    assert not loading.from_files(files, "schemas").get("things").deletes


@pytest.mark.parametrize(
    ("key", "spec", "where", "words"),
    [
        (None, {}, "contract.yaml:4", "tombstones: delete needs a key schema"),
        ([], {}, "key.avsc:3", "no field 'id'"),
        ([{"name": "other", "type": "string"}], {}, "key.avsc:3", "no field 'id'"),
        ([{"name": "id", "type": "string"}], {}, "key.avsc:7", "string in the key and uuid in the value"),
        ([{"name": "id", "type": ["null", ID["type"]]}], {}, "key.avsc:7", "union in the key and uuid"),
        ({"type": "string"}, {}, "key.avsc:3", "a record as its key"),
        (
            [ID, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}],
            {"primary_key": ["id", "at"]},
            "key.avsc:14",
            "cannot find rows by 'at'",
        ),
        ([ID], {"table": "t" * 40}, "contract.yaml:13", "at most 39 characters"),
    ],
)
def test_key_that_does_not_identify_a_row_is_refused(key: Any, spec: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        contract(key, **spec)
    assert refused.value.where == f"schemas/things/{where}"
    assert words in str(refused.value)


def test_unknown_tombstones_value_error_names_valid_values() -> None:
    files = {
        "a/contract.yaml": "topic: a\nowner: t\ncompatibility: FULL\ntombstones: ignore\n",
        "a/value.avsc": '"int"',
    }
    with pytest.raises(ConfigurationError, match="'reject' or 'delete'") as refused:
        loading.from_files(files, "schemas")
    assert refused.value.where == "schemas/a/contract.yaml:4"


def test_migrations_include_tables_that_record_deletions() -> None:
    one = contract()
    names = [needed.table for needed in migrations.create([one])]
    assert names == ["k.things", "k.things__deleted", "public.things", "public.things__deleted"]
    before = replace(one, spec=one.spec.model_copy(update={"tombstones": Tombstones.reject}))
    since = {needed.table: needed.migration for needed in migrations.between({"things": before}, [one], {})}
    assert list(since) == names
    assert since["k.things"] == migrations.Migration()
    assert "CREATE TABLE IF NOT EXISTS" in since["public.things__deleted"].statements[-1]
    assert len(migrations.between({"things": one}, [one], {})) == len(migrations.create([before])) == 2


@pytest.mark.parametrize("kept", ["__deleted", ""], ids=["its-deletions", "itself"])
@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")], ids=["first", "second"])
def test_table_that_another_stream_writes_to_is_refused(order: tuple[str, str], kept: str) -> None:
    key = {"type": "record", "name": "Key", "fields": [ID]}

    def files(name: str, table: str, tombstones: str) -> dict[str, str]:
        sinks = {"postgres": {"table": table, "primary_key": ["id"]}}
        head = {"topic": name, "owner": "t", "compatibility": "FULL", "key": "key.avsc", "tombstones": tombstones}
        value = {"type": "record", "name": name, "fields": [ID]}
        return {
            f"{name}/contract.yaml": yaml.safe_dump(head | {"sinks": sinks}),
            f"{name}/key.avsc": json.dumps(key | {"name": f"Key_{name}"}),
            f"{name}/value.avsc": json.dumps(value),
        }

    one, other = order
    with pytest.raises(ConfigurationError, match=f"b/contract.yaml.*a/contract.yaml already writes .*t{kept}"):
        loading.from_files(files(one, "t", "delete") | files(other, f"t{kept}", "reject"), "schemas")
    if kept:
        loading.from_files(files(one, "t", "reject") | files(other, f"t{kept}", "reject"), "schemas")


def test_deletions_table_holds_primary_key_and_kafka_position() -> None:
    for sink in contract().sinks:
        kept = layout.deletions(layout.of(contract(), sink))
        names = ["id", "kafka_timestamp", "kafka_partition", "kafka_offset"]
        assert [column.name for column in kept.all_columns] == names
        assert kept.sink.qualified.endswith(".things__deleted")
        assert 'PRIMARY KEY ("id")' in store_of(sink).create(kept)[-1]
