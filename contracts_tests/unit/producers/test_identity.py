"""Which records the producer counts as the same row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.producers.identity import identity_of

TEXTS = {"type": "array", "items": "string"}


def contract_of(
    folder: Path, *, primary_key: list[str] | None = None, key: Any = None, appends: bool = False
) -> Contract:
    """A contract whose value has the fields `a` and `b`; its key schema may be a record or an enum."""
    place = folder / "schemas" / "one"
    place.mkdir(parents=True)
    spec: dict[str, Any] = {"topic": "one", "owner": "test", "compatibility": "NONE"}
    if appends:  # the first table
        spec["sinks"] = {"cassandra": {"keyspace": "k", "table": "one", "mode": "append"}}
    if primary_key:
        spec.setdefault("sinks", {})["postgres"] = {"table": "one", "primary_key": primary_key}
    if key:
        spec["key"] = "key.avsc"
        (place / "key.avsc").write_text(json.dumps(key))
    value = {"type": "record", "name": "One", "fields": [{"name": name, "type": "string"} for name in "ab"]}
    (place / "value.avsc").write_text(json.dumps(value))
    (place / "contract.yaml").write_text(yaml.safe_dump(spec))
    return loading.load_one(place.parent, "one")


def record_of(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "Key", "fields": [{"name": n, "type": t} for n, t in fields.items()]}


@pytest.mark.parametrize(
    ("contract", "same", "different"),
    [
        ({"primary_key": ["a"]}, [{"a": "1", "b": "2"}, {"a": "1"}], {"a": "2", "b": "2"}),
        ({"primary_key": ["a", "b"]}, [{"a": "1", "b": "2"}] * 2, {"a": "1", "b": "1"}),
        ({"primary_key": ["a"], "key": record_of(b="string")}, [{"a": "1", "b": "2"}, {"a": "1"}], {"a": "2"}),
        ({"primary_key": ["b"], "appends": True}, [{"a": "1", "b": "2"}, {"a": "2", "b": "2"}], {"a": "1", "b": "1"}),
        ({"key": record_of(b="string")}, [{"a": "1", "b": "2"}, {"a": "2", "b": "2"}], {"a": "1"}),
        ({"key": record_of(b=TEXTS)}, [{"b": ["x"]}, {"b": ["x"]}], {"b": ["x", "y"]}),
    ],
    ids=["table", "two fields", "table before key", "table with a key after one without", "key", "list in the key"],
)
def test_records_with_the_same_key_share_an_identity(
    tmp_path: Path, contract: dict[str, Any], same: list[dict[str, Any]], different: dict[str, Any]
) -> None:
    identity = identity_of(contract_of(tmp_path, **contract))
    assert identity is not None
    assert len({identity(record) for record in same}) == 1
    assert len({identity(record) for record in [*same, different]}) == 2


@pytest.mark.parametrize("key", [None, {"type": "enum", "name": "Key", "symbols": ["A"]}])
def test_contract_without_key_fields_has_no_identity(tmp_path: Path, key: Any) -> None:
    assert identity_of(contract_of(tmp_path, key=key)) is None


def test_tables_with_a_row_for_each_event_give_no_identity(tmp_path: Path) -> None:
    assert identity_of(contract_of(tmp_path, appends=True, key=record_of(b="string"))) is None
