"""Tags in schemas: which would be lost, and which schemas differ only in tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avro_data_contracts.contracts.avro.parsing import parse
from avro_data_contracts.contracts.registry import tags

PII, SECRET = ["PII"], ["PII", "SECRET"]


def schema(of_id: Any = None, of_record: Any = None, of_inner: Any = None, **extra: Any) -> Any:
    inner = {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int", **marked(of_inner)}]}
    fields = [{"name": "id", "type": "string", **marked(of_id)}, {"name": "in", "type": inner}]
    document = {"type": "record", "name": "Out", "namespace": "n", "fields": fields, **marked(of_record), **extra}
    return parse(json.dumps(document))


def marked(listed: Any) -> dict[str, Any]:
    return {} if listed is None else {"confluent:tags": listed}


@pytest.mark.parametrize(
    ("kept", "wanted", "lost"),
    [
        (schema(), schema(), ""),
        (schema(PII), schema(), "n.Out.id: PII"),
        (schema(SECRET), schema(PII), "n.Out.id: SECRET"),
        (schema(PII), schema(SECRET), ""),
        (schema(PII, SECRET, PII), schema(), "n.In.x: PII; n.Out: PII, SECRET; n.Out.id: PII"),
        (schema(PII, doc="other"), schema(), "n.Out.id: PII"),
        (schema("PII"), schema(), ""),
        (schema([1]), schema(), ""),
        (schema(PII), parse('"string"'), ""),
        (schema(PII), parse('{"type": "record", "name": "n.Out", "fields": []}'), ""),
    ],
)
def test_lost_tags_are_listed_by_place(kept: Any, wanted: Any, lost: str) -> None:
    """Only places that still exist count; the tags of a removed field are not lost."""
    assert tags.told(tags.lost(kept, wanted)) == lost


@pytest.mark.parametrize(
    ("kept", "wanted", "same"),
    [
        (schema(), schema(), True),
        (schema(PII, SECRET, PII), schema(), True),
        (schema(SECRET), schema(PII), True),
        (schema(PII), schema(SECRET), False),
        (schema(), schema(of_inner=PII), False),
        (schema(PII), schema(PII, doc="other"), False),
        (schema(PII, x=1), schema(PII), False),
    ],
)
def test_schemas_match_if_the_registry_only_added_tags(kept: Any, wanted: Any, same: bool) -> None:
    assert tags.same_but_more(kept, wanted) is same
