"""Faults of primary keys are told where the field or the record is, although a schema may only name it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import Folder

CONTRACT = """\
topic: orders
owner: shop
compatibility: FULL
key: key.avsc
tombstones: {tombstones}
sinks:
  postgres: {{table: orders, primary_key: [{key}]}}
"""


def record(name: str, **fields: Any) -> str:
    """A record with a field on each line, from the fourth one."""
    listed = ",\n".join(json.dumps({"name": field, "type": kind}) for field, kind in fields.items())
    return f'{{"type": "record",\n"name": "{name}",\n"fields": [\n{listed}]}}'


#: The fault -> tombstones, the column, the value, the key, and where it is told, in the file with the definition.
CASES = {
    "no record": ("reject", "id", '{"type": "enum",\n"name": "V", "symbols": ["A"]}', record("K"), ("value", 1)),
    "null": ("reject", "id", record("V", a="int", id=["null", "string"]), record("K"), ("value", 5)),
    "no field": ("reject", "other", record("V", id="string"), record("K"), ("", 7)),
    "key is no record": ("delete", "id", record("V", id="string"), '{"type": "enum",\n"name": "K", "symbols": ["A"]}',
                         ("key", 1)),
    "key lacks it": ("delete", "id", record("V", id="string"), record("K", a="int"), ("key", 1)),
    "other type": ("delete", "id", record("V", id="string"), record("K", a="int", id="int"), ("key", 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shared", [False, True])
def test_fault_is_told_at_the_definition(name: str, shared: bool) -> None:
    tombstones, column, value, key, (owner, line) = CASES[name]
    files = {"orders/contract.yaml": CONTRACT.format(tombstones=tombstones, key=column)}
    for role, text in {"value": value, "key": key}.items():
        files[f"orders/{role}.avsc"] = f'"{role[0].upper()}"' if shared else text
        if shared:
            files[f"types/{role}.avsc"] = text
    (fault,) = loading.read(Folder(files), "s").faults
    folder = "types" if shared else "orders"
    wanted = f"s/{folder}/{owner}.avsc" if owner else "s/orders/contract.yaml"
    assert (fault.error.file, fault.error.line) == (wanted, line)
    if name == "no field":
        assert f"fields of s/{folder}/value.avsc: id" in fault.error.fix
